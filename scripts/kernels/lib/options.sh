# The command line of run and record.
# shellcheck shell=bash
# shellcheck disable=SC2034

usage() {
    cat <<END
usage: scripts/kernels/${0##*/} [OPTION]... [SCENARIO]...

Runs scenarios on several kernels: this machine's own (host) and others booted in qemu by
software emulation. Prints one table, scenario against set-up. No SCENARIO means all of them; a
SCENARIO is a name of the catalogue or a .toml file. scripts/kernels/record also keeps the
recordings of what passed, in recordings/.

  --setup NAME         only this set-up (again for more; default: all but
                       those that say asked=1); there are:
                       $(setup_names | tr '\n' ' ')
  --kernel FILE        also boot this kernel image, as the set-up kernel-VERSION
  --ci                 the article's scenarios, the fast ones, and the tests of tests/kernels; with
                       a build that is made quickly. With --need: those whose need is known by
                       construction (tests/kernels/need-*.toml)
  --need               measure what each scenario needs (memtide need, judged by what is read
                       again) instead of running it once; what a scenario says of its need is
                       checked, and record keeps what was found beside its recording
  --packages           virtual machines get a disk with the Debian packages that the scenarios need
                       (built once by mmdebstrap as root or with fakeroot, from this machine's own
                       sources, in $(guests_dir)); no SCENARIO means those
                       of the tags runtime and service; those that an emulated machine is too
                       slow for are skipped with the reason
  --env NAME=VALUE     set in the environment of memtide and of what it runs (again for more)
  --jobs N             set-ups at the same time (default: 2)
  --out DIR            where results and recordings go (default: target/kernels)
  --memtide FILE       a memtide binary (default: a static one, built here)
  --scenario-timeout S seconds for one scenario (default: 600; with --need 1800)
  --vm-timeout S       seconds for one virtual machine (default: 3600; with --need 14400)
  --vm-memory SIZE     its memory (default: 2G)
  -h, --help           this text

Exit status: 0 all passed or were skipped with a reason, 1 something fell short, 2 the command
was wrong, 3 something that is needed is missing.
END
}

options() {
    setups=() scenarios=() jobs=2 out=$top/target/kernels memtide='' kernel_option='' ci=''
    need='' packages='' settings=() scenario_timeout='' vm_timeout='' vm_memory=2G
    while [ $# -gt 0 ]; do
        case $1 in
        --ci) ci=1 ;;
        --need) need=1 ;;
        --packages) packages=1 ;;
        -h | --help) usage && exit 0 ;;
        --*) [ $# -ge 2 ] || wrong "$1 needs a value" && option "$1" "$2" && shift ;;
        *) scenarios+=("$1") ;;
        esac
        shift
    done
    options_defaults
    options_check
    mkdir -p "$out"
    out=$(realpath "$out")
}

option() {
    case $1 in
    --setup) setups+=("$2") ;;
    --kernel) kernel_option=$2 ;;
    --env) settings+=("$2") ;;
    --jobs) jobs=$2 ;;
    --out) out=$2 ;;
    --memtide) memtide=$2 ;;
    --scenario-timeout) scenario_timeout=$2 ;;
    --vm-timeout) vm_timeout=$2 ;;
    --vm-memory) vm_memory=$2 ;;
    *) wrong "there is no option $1" ;;
    esac
}

options_defaults() {
    # A need takes eight runs.
    : "${scenario_timeout:=$([ -n "$need" ] && echo 1800 || echo 600)}"
    : "${vm_timeout:=$([ -n "$need" ] && echo 14400 || echo 3600)}"
    if [ -n "$kernel_option" ]; then
        kernel_option=$(realpath "$kernel_option")
        setups+=("$(setup_of_kernel "$kernel_option")")
    fi
    [ ${#setups[@]} -gt 0 ] || mapfile -t setups < <(setup_defaults)
    [ ${#scenarios[@]} -gt 0 ] || mapfile -t scenarios < <(scenario_names)
}

# of_suites FILE: a scenario of a real runtime or service, but for those that take a while.
of_suites() {
    grep -E '^tags *= *\[.*"(runtime|service)"' "$1" | grep -qv '"slow"'
}

# With --ci: what is tagged article or fast, but for those that take minutes in emulation, and the tests.
scenario_names() {
    local file name
    for file in "$top"/tests/kernels/*.toml; do
        # Those with a known need are for --need, the others are not.
        case ${ci:+ci}$need:${file##*/} in ci1:need-*) echo "$file" ;; ci1:* | ci:need-*) ;; ci:*) echo "$file" ;; esac
    done
    [ "${ci:+ci}$need" != ci1 ] || return 0
    for file in "$top"/scenarios/*.toml; do
        [ -f "$file" ] || continue
        [ -z "$packages" ] || of_suites "$file" || continue
        name=$(basename "$file" .toml)
        if [ -n "$ci" ]; then
            grep -qE '^tags *= *\[.*"(article|fast)"' "$file" || continue
            case $name in heap-and-log | file-scan | dirty-burst | log-read-twice) continue ;; esac
        fi
        echo "$name"
    done
}

options_check() {
    local name number
    for name in "${setups[@]}"; do
        [ -f "$here/setups/$name" ] || [ ! -d "$top/recordings/$name" ] ||
            wrong "the set-up '$name' is data: its recordings come with memtide (recordings/$name)," \
                "and there is no recipe here to build or boot its kernel"
        [ -f "$here/setups/$name" ] || [ -n "$kernel_option" ] ||
            wrong "there is no set-up '$name'; there are: $(setup_names | tr '\n' ' ')"
    done
    for name in "${scenarios[@]}"; do
        case $name in
        *.toml) [ -f "$name" ] || wrong "there is no scenario file $name" ;;
        esac
    done
    [ ${#scenarios[@]} -gt 0 ] || wrong "there is no scenario to run"
    for name in "${settings[@]}"; do
        # Read by the shell of the guest.
        [[ $name =~ ^[A-Za-z_][A-Za-z0-9_]*=[A-Za-z0-9_.,:/+=-]*$ ]] ||
            wrong "'$name' is not NAME=VALUE, of letters, digits and _.,:/+=-"
    done
    for number in "$jobs" "$scenario_timeout" "$vm_timeout"; do
        [[ $number =~ ^[1-9][0-9]*$ ]] || wrong "'$number' is not a whole number above 0"
    done
}
