# Real programs in a virtual machine: a disk with a small Debian and the packages that the scenarios
# need, built once by mmdebstrap and kept in a cache outside the tree.
# shellcheck shell=bash

guests_dir() {
    echo "$(dirname "$(cache_dir)")/guests"
}

# packages_get: with --packages, sets packages_image to a disk that has what the scenarios need.
packages_get() {
    local names
    packages_image=''
    [ -n "$packages" ] || return 0
    mapfile -t names < <(packages_names)
    [ ${#names[@]} -gt 0 ] || fail "no package is needed by ${scenarios[*]}"
    packages_image=$(packages_folder "${names[@]}")/disk || exit 3
}

# packages_unfit SCENARIO: why it can't hold on an emulated machine, if it can't. Only what was seen: its
# load lasts a time, and does too little in it. As a file (scenarios/NAME.toml) it runs all the same.
packages_unfit() {
    case $packages:$1 in
    1:etcd-writes) echo "its load lasts a minute: emulated, working_set comes to 67 MiB in it and not always to the 77 that are to be seen" ;;
    1:nginx-log) echo "its load lasts 40 s: emulated, it writes 3 MiB of log in them and not the 8 that are to be seen" ;;
    1:pg-select) echo "its load lasts 40 s: emulated, it touches 36 MiB of the buffers in them and not the 48 that are to be seen" ;;
    1:node-heap) echo "its steps may take 60 s: emulated, Node needs more to fill its heap" ;;
    esac
}

# packages_skip DIR: leaves a result with the reason for each that is unfit.
packages_skip() {
    local scenario reason
    for scenario in "${scenarios[@]}"; do
        reason=$(packages_unfit "$scenario")
        [ -n "$reason" ] || continue
        mkdir -p "$1/out/$scenario"
        echo 3 >"$1/out/$scenario/status"
        jq -n --arg reason "$reason" '{runs: [{result: "skip", reason: $reason}]}' >"$1/out/$scenario/result.json"
    done
}

# packages_names: the packages of all programs that the scenarios require, sorted.
packages_names() {
    local scenario programs=()
    for scenario in "${scenarios[@]}"; do
        [ -f "$scenario" ] || scenario=$top/scenarios/$scenario.toml
        mapfile -t -O ${#programs[@]} programs < <(packages_programs "$scenario")
    done
    [ ${#programs[@]} -eq 0 ] || "$top/scripts/setup" --packages-of "${programs[@]}" | sort -u
}

# packages_programs FILE: what its lines `when = { programs = ["a", "b"] }` name.
packages_programs() {
    grep -oE '^when *=.*programs *= *\[[^]]*\]' "$1" 2>/dev/null | sed 's/.*\[//' | grep -oE '[^][", ]+' || true
}

# packages_folder NAME...: prints the folder of a disk that has these packages, building one if none has.
packages_folder() {
    local dir
    dir=$(packages_cached "$@")
    [ -n "$dir" ] || dir=$(packages_built "$@") || exit
    note "the guests' packages: $dir/versions; remove $dir for newer ones"
    echo "$dir"
}

# packages_built NAME...: the same by building it; one run at a time does so, and others may have done it.
packages_built() {
    local dir
    mkdir -p "$(guests_dir)"
    exec 9>"$(guests_dir)/.lock"
    flock 9
    dir=$(packages_cached "$@")
    if [ -z "$dir" ]; then
        # Of a build that was killed.
        rm -rf "$(guests_dir)"/.build.*
        dir=$(guests_dir)/$(packages_asked "$@" | sha256sum | cut -c 1-16)
        packages_into "$dir" "$@"
    fi
    exec 9>&-
    echo "$dir"
}

# packages_asked NAME...: all that decides what is on a disk: the recipe in one line, and the names.
packages_asked() {
    { packages_release && declare -f packages_build; } | sha256sum
    printf '%s\n' "$@"
}

# packages_cached NAME...: the folder of a disk by this recipe with at least these packages.
packages_cached() {
    local file
    for file in "$(guests_dir)"/*/asked; do
        if [ -f "$file" ] && [ -z "$(packages_asked "$@" | grep -vxFf "$file")" ]; then
            dirname "$file"
            return
        fi
    done
}

# The release of this machine is the guests', too: its sources of packages are what apt has.
packages_release() {
    sed -n 's/^VERSION_CODENAME=//p' /etc/os-release
}

# packages_into DIR NAME...: builds beside, and moves what is whole into place.
packages_into() {
    local dir=$1 work began=$SECONDS
    shift
    command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing; on Debian: apt-get install mmdebstrap"
    [ "$(id -u)" = 0 ] || command -v fakeroot >/dev/null || fail "fakeroot is missing; on Debian: apt-get install fakeroot"
    note "building a disk with $*"
    work=$(mktemp -d "$(guests_dir)/.build.XXXXXX")
    if ! packages_build "$work" "$@" 2>"$work/log" >&2; then
        tail -n 20 "$work/log" >&2
        rm -rf "$work"
        fail "the disk can't be built. Without lists of packages: apt-get update"
    fi
    rm -f "$work/log"
    packages_asked "$@" >"$work/asked"
    mv -T "$work" "$dir"
    note "the disk took $((SECONDS - began)) s and is $(du -h "$dir/disk" | cut -f 1)"
}

# packages_build DIR NAME...: DIR/disk and DIR/versions. Packages come from where this machine's own
# come from, by the lists that its apt has (a source that does not answer now must not cost all).
# Maintainer scripts run, so users and alternatives are there. Read by nobody in a guest: manuals.
packages_build() {
    local dir=$1 comma status=0 as_root=() sources=/etc/apt/sources.list
    comma=$(IFS=, && echo "${*:2}")
    [ "$(id -u)" = 0 ] || as_root=(fakeroot)
    apt-config dump | grep -E '^Acquire::https?::' >"$dir/apt.conf" || true
    cat $sources $sources.d/*.list $sources.d/*.sources 2>/dev/null >"$dir/sources"
    # It ends with this script, however that ends.
    # shellcheck disable=SC2016 # $1 is the hook's own
    setpriv --pdeathsig TERM mmdebstrap --variant=apt --format=tar --skip=update --include="$comma" \
        --aptopt="$dir/apt.conf" \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        --setup-hook='cp /var/lib/apt/lists/*_* "$1/var/lib/apt/lists/"' \
        --customize-hook='chroot "$1" dpkg-query -W >"$1/versions"' \
        --customize-hook='rm -rf "$1"/var/lib/apt/lists/*' \
        "$(packages_release)" "$dir/tar" - <"$dir/sources" &
    builder_pid=$!
    guard
    await "$builder_pid" || status=$?
    kill "$guard_pid" 2>/dev/null || true
    [ "$status" = 0 ] || return "$status"
    mkdir "$dir/root"
    # Sparse, with room for what the programs write; the machines see a copy of their own.
    "${as_root[@]}" sh -e -c 'tar -xf "$0/tar" -C "$0/root" --exclude="./dev/*"
        cp "$0/root/versions" "$0/versions"
        mkfs.ext4 -q -b 4096 -E nodiscard -d "$0/root" "$0/disk.part" 8G' "$dir" || return
    mv "$dir/disk.part" "$dir/disk"
    rm -rf "$dir"/{root,tar,apt.conf,sources}
}
