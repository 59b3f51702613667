# Building the binary, and running all set-ups.
# shellcheck shell=bash

# setup is the set-up a subshell works for.
note() {
    echo "${setup:+$setup: }$*" >&2
}

# fail WORDS: in a set-up's subshell the table gives the words as the reason.
fail() {
    note "$@"
    [ -z "$setup" ] || echo "$*" >"$out/$setup/failed"
    exit 3
}

wrong() {
    echo "$*; see --help" >&2
    exit 2
}

tools_check() {
    local tool
    for tool in qemu-system-x86_64 busybox cpio mkfs.ext4 dpkg-deb jq xz setpriv flock timeout; do
        command -v "$tool" >/dev/null || fail "$tool is missing; on Debian: apt-get install" \
            "qemu-system-x86 busybox-static cpio e2fsprogs jq xz-utils util-linux"
    done
}

# binary: sets memtide to a static binary, built if none was given.
# musl where its target is installed, else the C library linked in.
binary() {
    local target=x86_64-unknown-linux-musl flags='' profile=release
    # Half as long to build; in emulation the kernel's own work is what takes the time.
    [ -z "$ci" ] || profile=quick
    if [ -z "$memtide" ]; then
        if [ ! -d "$(rustc --print target-libdir --target $target)" ]; then
            note "adding $target to this Rust (rustup target remove takes it away again; --memtide FILE needs none)"
            rustup target add $target >&2 ||
                target=x86_64-unknown-linux-gnu flags='-C target-feature=+crt-static'
        fi
        note "building memtide ($target)"
        (cd "$top" && RUSTFLAGS="${RUSTFLAGS:-} $flags" cargo build --quiet --profile "$profile" \
            --no-default-features --target $target >&2) || fail "memtide does not build"
        memtide=${CARGO_TARGET_DIR:-$top/target}/$target/$profile/memtide
    fi
    memtide=$(realpath "$memtide")
    [ -x "$memtide" ] || fail "$memtide can't be executed"
}

# scenarios_check: a file that is wrong is told before anything boots.
scenarios_check() {
    local name
    for name in "${scenarios[@]}"; do
        case $name in
        *.toml) "$memtide" show "$name" >/dev/null || exit 2 ;;
        esac
    done
}

# matrix: every set-up, at most jobs of them at a time, each in its own subshell and folder.
matrix() {
    local name
    running=()
    trap 'matrix_end' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    for name in "${setups[@]}"; do
        while [ ${#running[@]} -ge "$jobs" ]; do
            matrix_reap
        done
        rm -rf "${out:?}/$name"
        mkdir -p "$out/$name"
        (setup_run "$name" "$out/$name") &
        running+=($!)
    done
    while [ ${#running[@]} -gt 0 ]; do
        matrix_reap
    done
}

# Waits for one to end. How it went is read from its folder afterwards.
matrix_reap() {
    local ended left=() pid
    wait -n -p ended "${running[@]}" || true
    for pid in "${running[@]}"; do
        [ "$pid" = "${ended:-}" ] || left+=("$pid")
    done
    running=("${left[@]}")
}

matrix_end() {
    local pid
    for pid in "${running[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    # Their own traps end their machines; nothing is left when this returns.
    wait
}

# guard: a process that ends when the script itself does, however that happens.
guard() {
    tail --pid=$$ -f /dev/null &
    guard_pid=$!
}

# await PID: its exit status. Where the script was killed outright, this subshell ends too, and
# its trap takes along what it started.
await() {
    local status=0
    wait -n "$1" "$guard_pid" || status=$?
    kill -0 $$ 2>/dev/null || exit 143
    return "$status"
}

# setup_run NAME DIR: in a subshell of its own, as the variables of a set-up are global.
setup_run() {
    local began=$SECONDS
    setup=$1
    setup_load "$setup"
    case $where in
    host) host_run "$2" ;;
    *) vm_run "$2" ;;
    esac
    note "took $((SECONDS - began)) s"
}
