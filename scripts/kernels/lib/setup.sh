# Set-ups: one small file each in setups/, NAME=VALUE lines read by the shell.
#
#   where=host           run on this machine, boot nothing
#   package=PATTERN      a Debian package name with * in it: the newest that matches is taken
#   kernel=FILE          instead of package: a kernel image (bzImage)
#   modules=DIR          its modules, if it needs any (default: ../lib/modules/VERSION beside it)
#   cgroup=v1|v2|auto    where the memory controller is mounted (auto: v2 if the kernel has it there)
#   lru=classic|mglru|auto   what to write to /sys/kernel/mm/lru_gen/enabled (auto: leave it)
#   shm=OPTIONS          how /dev/shm is mounted: noswap (since Linux 6.4) as the kubelet mounts an
#                        emptyDir of medium Memory
#   filesystem=NAME      of the work disk: ext4 or xfs (default: ext4)
#   container=LIMIT      memtide runs as in a pod (--placement ambient, the recording on stdout) in a
#                        cgroup of this limit with memory.oom.group, as the kubelet makes it on v2
#   asked=1              runs only where --setup names it
#   append=WORDS         more words for the kernel's command line
#
# A new kernel needs a new file here and no code.
# shellcheck shell=bash
# The variables of a set-up are read by the other files.
# shellcheck disable=SC2034

# The set-ups that run where none is named.
setup_defaults() {
    local name
    while read -r name; do
        grep -q '^asked=1' "$here/setups/$name" || echo "$name"
    done < <(setup_names)
}

# Every set-up there is: host first, then by version.
setup_names() {
    local file
    echo host
    for file in "$here"/setups/*; do
        [ "${file##*/}" = host ] || echo "${file##*/}"
    done | sort -V
}

# setup_load NAME: sets the variables above from NAME's file.
setup_load() {
    local file=$here/setups/$1
    where=vm package='' kernel='' modules='' cgroup=auto lru=auto append='' shm='' container=''
    filesystem=ext4
    if [ -n "$kernel_option" ] && [ "$1" = "$(setup_of_kernel "$kernel_option")" ]; then
        kernel=$kernel_option
        return
    fi
    [ -f "$file" ] || fail "there is no set-up '$1'; there are: $(setup_names | tr '\n' ' ')"
    # shellcheck disable=SC1090
    . "$file"
}

# The name of the set-up that --kernel FILE makes: kernel-3.10.0 for /boot/vmlinuz-3.10.0.
setup_of_kernel() {
    local name=${1##*/}
    echo "kernel-${name#vmlinuz-}"
}
