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

host_scenario() {
    local short=${2##*/} dir status=0
    short=${short%.toml}
    dir=$1/out/$short
    mkdir -p "$dir"
    note "start $short"
    MEMTIDE_SETUP=host timeout -k 5 "$scenario_timeout" "$memtide" run --format json \
        --out "$dir" --workdir "$host_work" "$2" \
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
