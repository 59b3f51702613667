# One table: scenario against set-up, and below it why what did not pass.
# shellcheck shell=bash

# verdict SETUP SCENARIO: prints one word (pass, FAIL, skip, hung, none), a tab, and why.
verdict() {
    local dir=$out/$1/out/$2 status
    if [ ! -f "$dir/status" ]; then
        printf 'none\tno result: %s' "$(cat "$out/$1/failed" 2>/dev/null || echo "see $out/$1")"
        return
    fi
    status=$(<"$dir/status")
    # From a set-up with container=: the kernel's own word on the kill.
    if [ "$status" = 137 ] && grep -q '^oom_group_kill [1-9]' "$dir/memory.events" 2>/dev/null; then
        printf 'pass\tkilled as a whole'
        return
    fi
    if [ -f "$dir/memory.events" ]; then
        [ "$status" = 0 ] && printf 'pass\t' ||
            printf 'FAIL\texit status %s: %s' "$status" "$(last_line "$dir/stderr.txt")"
        return
    fi
    case $status in
    124 | 137 | 143) printf 'hung\tended after %s s' "$scenario_timeout" ;;
    *) result_verdict "$dir" "$status" ;;
    esac
}

# What memtide's own result says; the exit status must agree with it.
result_verdict() {
    local word
    if [ -n "$need" ]; then
        need_verdict "$@"
        return
    fi
    word=$(jq -r '.runs[0].result // empty' "$1/result.json" 2>/dev/null) || word=''
    case $word:$2 in
    pass:0) printf 'pass\t' ;;
    skip:0 | skip:3) printf 'skip\t%s' "$(jq -r '.runs[0].reason // "no reason given"' "$1/result.json")" ;;
    fail:*) printf 'FAIL\t%s' "$(result_failures "$1/result.json")" ;;
    *) printf 'FAIL\texit status %s, result "%s": %s' "$2" "$word" "$(last_line "$1/stderr.txt")" ;;
    esac
}

# The same of a measured need: what a scenario says of its own must have been found, and no number is
# something that was found, too (killed at its highest limit).
need_verdict() {
    local said
    said=$(jq -r '.needs[0] | if .known.right == false then "wrong\t\(.need_bytes // .none_because), by construction \(.known.bytes)"
        elif .none_because then "none\t\(.none_because)"
        else "right\t\(.need_bytes / 1048576 * 10 | round / 10) MiB" end' "$1/result.json" 2>/dev/null | tr '\n' ' ') || said=''
    case $said:$2 in
    right*:0) printf 'pass\tit needs %s' "${said#right?}" ;;
    none*:1) printf 'skip\tno number: %s' "${said#none?}" ;;
    wrong*:1) printf 'FAIL\tit needs %s' "${said#wrong?}" ;;
    *) printf 'FAIL\texit status %s, "%s": %s' "$2" "$said" "$(last_line "$1/stderr.txt")" ;;
    esac
}

result_failures() {
    jq -r '.runs[0] | [(.reason // empty), (.expectations[]? | select(.pass == false or .pass == "fail")
        | "\(.text): expected \(.expected), seen \(.seen)")] | map(gsub("\\s+"; " ")) | join("; ")' "$1"
}

last_line() {
    grep -v '^ *$' "$1" 2>/dev/null | tail -n 1 | tr '\t' ' '
}

# table_print: the table, the reasons, and the count; 1 if anything fell short.
table_print() {
    local -A count=([pass]=0 [FAIL]=0 [skip]=0 [hung]=0 [none]=0)
    local reasons='' scenario setup row word why
    printf '%-24s' scenario
    printf ' %-14s' "${setups[@]}"
    echo
    for scenario in "${scenarios[@]}"; do
        scenario=${scenario##*/} scenario=${scenario%.toml}
        row=$(printf '%-24s' "$scenario")
        for setup in "${setups[@]}"; do
            IFS=$'\t' read -r word why < <(verdict "$setup" "$scenario" && echo)
            count[$word]=$((count[$word] + 1))
            row+=$(printf ' %-14s' "$word")
            [ "$word$need" = pass ] || reasons+="$word: $scenario on $setup: $why"$'\n'
        done
        echo "$row"
    done
    [ -z "$reasons" ] || printf '\n%s' "$reasons"
    local failed=$((count[FAIL] + count[hung] + count[none]))
    printf '\n%s passed, %s failed, %s skipped\n' "${count[pass]}" "$failed" "${count[skip]}"
    [ "$failed" = 0 ]
}
