# Kernels from Debian's packages, by name through apt, kept in a cache outside the tree.
# shellcheck shell=bash

cache_dir() {
    echo "${XDG_CACHE_HOME:-$HOME/.cache}/memtide/kernels"
}

# kernel_get: sets kernel and modules for the loaded set-up, fetching its package if need be.
kernel_get() {
    local dir name
    if [ -z "$kernel" ]; then
        dir=$(kernel_folder "$package")
        name=${dir##*/linux-image-}
        kernel=$dir/boot/vmlinuz-$name
        modules=$dir/lib/modules/$name
    fi
    [ -f "$kernel" ] || fail "there is no kernel at $kernel"
    [ -n "$modules" ] || modules=$(kernel_modules_beside "$kernel")
}

# /boot/vmlinuz-X has its modules in /lib/modules/X; a kernel with its drivers built in has none.
kernel_modules_beside() {
    local dir
    dir=$(dirname "$1")/../lib/modules/$(basename "${1##*vmlinuz-}")
    [ ! -d "$dir" ] || echo "$dir"
}

# kernel_folder PATTERN: prints where the newest package that matches is unpacked. Asks apt, then
# apt with fresh lists (a new machine has none, and old ones name packages that are gone), then
# takes what was fetched before. One run at a time does so.
kernel_folder() {
    local regex how name
    regex=$(sed 's/[.]/[.]/g; s/[*]/[0-9.+a-z-]*/g' <<<"$1")
    mkdir -p "$(cache_dir)"
    exec 9>"$(cache_dir)/.lock"
    flock 9
    for how in apt updated cached; do
        name=$(kernel_names "$how" | newest_match "$regex")
        if [ -n "$name" ] && kernel_unpacked "$(cache_dir)/$name" "$name"; then
            exec 9>&-
            return
        fi
    done
    fail "apt knows no package like $1, or can't fetch it. Run 'apt-get update'; if that does not" \
        "help, add the release that has it to apt's sources: 6.1 is in Debian 12 (bookworm," \
        "bookworm-security); 6.12 is in Debian 12's bookworm-security or bookworm-backports and" \
        "in Debian 13 (trixie)"
}

kernel_names() {
    case $1 in
    cached) ls "$(cache_dir)" ;;
    updated) apt-get update -q >/dev/null 2>&1 && apt-cache pkgnames linux-image- ;;
    *) apt-cache pkgnames linux-image- 2>/dev/null ;;
    esac || true
}

# Debug symbols, unsigned and real-time builds carry the same prefix: only the plain one is meant.
newest_match() {
    grep -E "^$1\$" | grep -v -E -e '-(dbg|unsigned|rt-)' | sort -V | tail -n 1 || true
}

# kernel_unpacked DIR PACKAGE: prints DIR, with the package in it.
kernel_unpacked() {
    kernel_intact "$1" || kernel_fetch "$1" "$2" || return 1
    echo "$1"
}

# Whether what was unpacked is still what was downloaded.
kernel_intact() {
    [ -f "$1/files.sha256" ] && (cd "$1" && sha256sum --quiet --check files.sha256) >&2
}

# apt checks the download against its signed index; the list of sums made here guards the cache.
kernel_fetch() {
    local work status=0
    note "fetching $2"
    work=$(mktemp -d "$(cache_dir)/.fetch.XXXXXX")
    {
        # apt's sandbox user can't write into a private folder and says so at length.
        (cd "$work" && apt-get download -q -o APT::Sandbox::User=root "$2" >&2) &&
            dpkg-deb -x "$work"/*.deb "$work/root" &&
            (cd "$work/root" && find boot lib -type f -print0 | sort -z |
                xargs -0 sha256sum >files.sha256) &&
            rm -rf "$1" && mv "$work/root" "$1"
    } || status=1
    rm -rf "$work"
    return "$status"
}
