# The set-up that is this machine itself: the same loop as guest/init, without a boot.
# shellcheck shell=bash

# host_run DIR: runs the scenarios here and leaves their results in DIR.
host_run() {
    local scenario
    host_work=$1/work
    trap host_end EXIT
    trap 'exit 143' TERM INT
    guard
    for scenario in "${scenarios[@]}"; do
        host_scenario "$1" "$scenario"
    done
}

# What this machine is called as a set-up, after what decides its numbers: 6.18-v1, 6.12-v2-mglru.
host_name() {
    local name lru=/sys/kernel/mm/lru_gen/enabled
    name=$(uname -r | cut -d . -f 1-2)
    if grep -qE ' - cgroup [^ ]+ .*\bmemory\b' /proc/self/mountinfo; then
        name+=-v1
    else
        name+=-v2
    fi
    if [ -f $lru ] && [ $(($(<$lru))) -ne 0 ]; then
        name+=-mglru
    fi
    echo "$name"
}

host_scenario() {
    local short=${2##*/} dir status=0 words
    short=${short%.toml}
    dir=$1/out/$short
    mkdir -p "$dir"
    note "start $short"
    # As orders of guest/init.
    words=(run --out "$dir")
    [ -z "$need" ] || words=(need --by refaults --loss 5% --runs 1 --write-sidecar "$dir")
    env "${settings[@]}" MEMTIDE_SETUP="$(host_name)" timeout -k 5 "$scenario_timeout" "$memtide" \
        "${words[@]}" --format json --workdir "$host_work" "$2" \
        </dev/null >"$dir/result.json" 2>"$dir/stderr.txt" &
    host_pid=$!
    await "$host_pid" || status=$?
    host_pid=''
    echo "$status" >"$dir/status"
    note "end $short $status"
}

host_end() {
    local pid
    for pid in ${host_pid:-} ${guard_pid:-}; do
        kill "$pid" 2>/dev/null || true
    done
    rm -rf "$host_work"
}
