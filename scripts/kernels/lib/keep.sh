# Keeping the recordings of what passed.
# shellcheck shell=bash

# keep SET-UP: packs what passed there into recordings/.
keep() {
    local scenario file word into=$top/recordings/$1
    [ "$1" != host ] || into=$top/recordings/$(host_name)
    for scenario in "${scenarios[@]}"; do
        scenario=${scenario##*/} scenario=${scenario%.toml}
        if [ -n "$need" ]; then
            keep_need "$into" "$out/$1/out/$scenario/$scenario.need.toml"
            continue
        fi
        word=$(verdict "$1" "$scenario" | cut -f 1)
        file=$out/$1/out/$scenario/$scenario.jsonl
        if [ "$word" = pass ] && [ -f "$file" ]; then
            mkdir -p "$into"
            rm -f "$file.gz"
            # As many samples as a curve needs: all recordings together are to stay below 3 MB.
            "$memtide" pack --samples 150 "$file" >&2 || fail "$file can't be packed"
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
