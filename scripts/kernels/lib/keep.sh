# Keeping the recordings of what passed.
# shellcheck shell=bash

# keep SET-UP: packs what passed there into recordings/, real runtimes and services into suites/.
keep() {
    local scenario file word into samples name=$1
    [ "$1" != host ] || name=$(host_name)
    for scenario in "${scenarios[@]}"; do
        scenario=${scenario##*/} scenario=${scenario%.toml}
        # As many samples as a curve needs: recordings/ is to stay below 3 MB, suites/ below 4 MB.
        into=$top/recordings/$name samples=150
        if of_suites "$top/scenarios/$scenario.toml" 2>/dev/null; then
            into=$top/suites/$name
            ! grep -q '^tags.*"service"' "$top/scenarios/$scenario.toml" || samples=400
        fi
        if [ -n "$need" ]; then
            keep_need "$into" "$out/$1/out/$scenario/$scenario.need.toml"
            continue
        fi
        word=$(verdict "$1" "$scenario" | cut -f 1)
        file=$out/$1/out/$scenario/$scenario.jsonl
        if [ "$word" = pass ] && [ -f "$file" ]; then
            mkdir -p "$into"
            rm -f "$file.gz"
            "$memtide" pack --samples "$samples" "$file" >&2 || fail "$file can't be packed"
            mv "$file.gz" "$into/"
        fi
    done
}

# keep_need FOLDER FILE: a need is kept beside its recording; also that there is none.
keep_need() {
    local beside=${2##*/}
    beside=$1/${beside%.need.toml}.jsonl.gz
    if [ -f "$2" ] && [ -f "$beside" ]; then
        cp "$2" "$1/"
    fi
}
