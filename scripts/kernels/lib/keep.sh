# Keeping the recordings of what passed.
# shellcheck shell=bash

# keep SET-UP: packs what passed there into recordings/.
keep() {
    local scenario file word into=$top/recordings/$1
    [ "$1" != host ] || into=$top/recordings/$(host_name)
    for scenario in "${scenarios[@]}"; do
        scenario=${scenario##*/} scenario=${scenario%.toml}
        word=$(verdict "$1" "$scenario" | cut -f 1)
        file=$out/$1/out/$scenario/$scenario.jsonl
        if [ "$word" = pass ] && [ -f "$file" ]; then
            mkdir -p "$into"
            # No name and no time in the packed file: the same recording packs to the same bytes.
            gzip -9 -n <"$file" >"$into/$scenario.jsonl.gz"
        fi
    done
}
