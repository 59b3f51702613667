# What a virtual machine is given: an initramfs and two disks.
# shellcheck shell=bash

# image_initramfs DIR: builds DIR/initramfs from busybox, modules, memtide and the guest's init.
image_initramfs() {
    local root=$1/root busybox
    busybox=$(command -v busybox) || fail "busybox is missing; install busybox-static"
    mkdir -p "$root"/{bin,dev,proc,sys,tmp,modules,scenarios,work,out}
    cp "$busybox" "$root/bin/busybox"
    cp "$memtide" "$root/bin/memtide"
    image_libraries "$root"
    cp "$here/guest/init" "$root/init"
    chmod 755 "$root/init" "$root/bin"/*
    image_modules "$root/modules" virtio_pci virtio_blk "$filesystem" ${packages:+ext4}
    image_orders "$root"
    (cd "$root" && find . -print0 | cpio --null --create --format=newc --quiet) >"$1/initramfs"
    rm -rf "$root"
}

# image_libraries ROOT: what a memtide that is linked dynamically needs, at the same paths; a static
# one needs nothing.
image_libraries() {
    local file
    for file in $(ldd "$memtide" 2>/dev/null | grep -o '/[^ ]*'); do
        mkdir -p "$1${file%/*}"
        cp -L "$file" "$1$file"
    done
}

# image_orders ROOT: what to do in there, read by guest/init.
image_orders() {
    local scenario
    cat >"$1/setup" <<END
name=$setup
cgroup=$cgroup
lru=$lru
shm=$shm
filesystem=$filesystem
container=$container
scenario_timeout=$scenario_timeout
need=$need
packages=$packages
END
    [ ${#settings[@]} -eq 0 ] || printf 'export %s\n' "${settings[@]}" >>"$1/setup"
    for scenario in "${scenarios[@]}"; do
        [ -z "$(packages_unfit "$scenario")" ] || continue
        if [ -f "$scenario" ]; then
            cp "$scenario" "$1/scenarios/"
            scenario=/scenarios/${scenario##*/}
        fi
        echo "$scenario"
    done >"$1/orders"
}

# image_modules DIR NAME...: copies modules and what they need, numbered in loading order.
image_modules() {
    local dir=$1 name
    shift
    # No folder of modules: the kernel has its drivers built in.
    [ -n "$modules" ] || return 0
    for name in "$@"; do
        image_module "$dir" "$name"
    done
}

# image_module DIR NAME: a module after its dependencies; one that is built in has no file.
image_module() {
    local dir=$1 name=${2//-/_} file needs need
    [ -z "$(find "$dir" -name "*.$name.ko")" ] || return 0
    file=$(find "$modules" -name "${name//_/[-_]}.ko*" | head -n 1)
    [ -n "$file" ] || return 0
    module_text "$file" >"$dir/$name.part"
    needs=$(grep -z -a -m 1 '^depends=' "$dir/$name.part" | tr -d '\0')
    for need in $(tr ',' ' ' <<<"${needs#depends=}"); do
        image_module "$dir" "$need"
    done
    mv "$dir/$name.part" "$dir/$(printf %02d "$(find "$dir" -name '*.ko' | wc -l)").$name.ko"
}

module_text() {
    case $1 in
    *.xz) xz -dc "$1" ;;
    *.gz) gzip -dc "$1" ;;
    *.zst) zstd -dqc "$1" ;;
    *) cat "$1" ;;
    esac
}

# image_disks DIR: the work directory's file system, and a raw disk that the results leave by.
# Both are sparse. Blocks of 4 KiB, because 1 KiB ones have 11 % of metadata on top of the cache
# instead of 3 %; mkfs would take 1 KiB for a small disk.
image_disks() {
    truncate -s 6G "$1/work.img"
    case $filesystem in
    ext4) mkfs.ext4 -q -b 4096 -E lazy_itable_init=0,lazy_journal_init=0,nodiscard "$1/work.img" ;;
    *) "mkfs.$filesystem" -q "$1/work.img" || fail "mkfs.$filesystem is missing or failed" ;;
    esac
    truncate -s 512M "$1/results.img"
}
