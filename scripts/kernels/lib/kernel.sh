# Kernels from Debian's packages, by name through apt, kept in a cache outside the tree.
# shellcheck shell=bash

cache_dir() {
    echo "${XDG_CACHE_HOME:-$HOME/.cache}/memtide/kernels"
}

# kernel_get: sets kernel and modules for the loaded set-up, fetching its package if need be.
kernel_get() {
    local name dir
    if [ -z "$kernel" ]; then
        name=$(kernel_package "$package")
        dir=$(kernel_unpacked "$name")
        kernel=$dir/boot/vmlinuz-${name#linux-image-}
        modules=$dir/lib/modules/${name#linux-image-}
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

# The newest package that matches a pattern: asked of apt, or of the cache where apt knows none.
kernel_package() {
    local regex newest
    regex=$(sed 's/[.]/[.]/g; s/[*]/[0-9.+a-z-]*/g' <<<"$1")
    newest=$({ apt-cache pkgnames linux-image- 2>/dev/null || true; } | newest_match "$regex")
    [ -n "$newest" ] || newest=$({ ls "$(cache_dir)" 2>/dev/null || true; } | newest_match "$regex")
    [ -n "$newest" ] || fail "apt knows no package like $1. Run 'apt-get update'; if it still" \
        "knows none, add the release that has it to apt's sources: 6.1 is in Debian 12" \
        "(bookworm, bookworm-security); 6.12 is in Debian 12's bookworm-security or" \
        "bookworm-backports and in Debian 13 (trixie)"
    echo "$newest"
}

# Debug symbols, unsigned and real-time builds carry the same prefix: only the plain one is meant.
newest_match() {
    grep -E "^$1\$" | grep -v -E -e '-(dbg|unsigned|rt-)' | sort -V | tail -n 1 || true
}

# kernel_unpacked PACKAGE: prints the folder it is unpacked in. Safe against a second run.
kernel_unpacked() {
    local dir
    dir=$(cache_dir)/$1
    mkdir -p "$(cache_dir)"
    (
        flock 9
        kernel_intact "$dir" || kernel_fetch "$1" "$dir"
    ) 9>"$(cache_dir)/.lock"
    echo "$dir"
}

# Whether what was unpacked is still what was downloaded.
kernel_intact() {
    [ -f "$1/files.sha256" ] && (cd "$1" && sha256sum --quiet --check files.sha256) >&2
}

# apt checks the download against its signed index; the list of sums made here guards the cache.
kernel_fetch() {
    local work
    note "fetching $1"
    work=$(mktemp -d "$(cache_dir)/.fetch.XXXXXX")
    # apt's sandbox user can't write into a private folder and says so at length.
    (cd "$work" && apt-get download -q -o APT::Sandbox::User=root "$1" >&2) ||
        fail "apt could not download $1; run 'apt-get update' and try again"
    dpkg-deb -x "$work"/*.deb "$work/root" || fail "the package $1 can't be unpacked"
    (cd "$work/root" && find boot lib -type f -print0 | sort -z | xargs -0 sha256sum >files.sha256)
    rm -rf "$2"
    mv "$work/root" "$2"
    rm -rf "$work"
}
