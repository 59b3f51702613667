# Booting a kernel with qemu, watching it, and getting its results out.
# shellcheck shell=bash

# vm_run DIR: boots the loaded set-up and leaves its results in DIR. 0 if the machine ended by itself.
vm_run() {
    local dir=$1 status=0
    vm_dir=$dir
    trap vm_end EXIT
    trap 'exit 143' TERM INT
    packages_skip "$dir"
    kernel_get
    image_initramfs "$dir"
    image_disks "$dir"
    vm_boot "$dir" || status=$?
    mkdir -p "$dir/out"
    tar -xf "$dir/results.img" -C "$dir/out" 2>/dev/null || true
    vm_verdict "$dir" "$status"
}

# vm_boot DIR: runs qemu until it ends or its time is up (124, 137).
# Software emulation: it needs no rights and no hardware, and is the same everywhere.
# no_timer_check: on a busy machine the emulated timer is late, and the kernel would take it for
# broken and panic.
vm_boot() {
    local status=0 disks=() words="console=ttyS0 quiet panic=-1 no_timer_check transparent_hugepage=madvise cgroup_enable=memory"
    # Every machine writes into a copy of its own, which is gone with it.
    [ -z "$packages_image" ] || disks=(-drive "file=$packages_image,format=raw,if=virtio,snapshot=on")
    # With setpriv the machine ends with the subshell that watches it, however that ends.
    setpriv --pdeathsig TERM timeout -k 5 "$vm_timeout" qemu-system-x86_64 \
        -accel tcg,thread=multi -cpu max -smp 2 -m "$vm_memory" \
        -kernel "$kernel" -initrd "$1/initramfs" -append "$words $append" \
        -drive "file=$1/work.img,format=raw,if=virtio,cache=unsafe" \
        -drive "file=$1/results.img,format=raw,if=virtio,cache=unsafe" \
        "${disks[@]}" -nic none -nographic -no-reboot -serial "file:$1/serial.log" -monitor none \
        </dev/null >"$1/qemu.log" 2>&1 &
    vm_pid=$!
    vm_progress "$1/serial.log" &
    progress_pid=$!
    guard
    await "$vm_pid" || status=$?
    wait "$progress_pid" || true
    return "$status"
}

vm_end() {
    local pid
    # Only what vm_boot started, and by number.
    for pid in ${vm_pid:-} ${progress_pid:-} ${guard_pid:-}; do
        kill "$pid" 2>/dev/null || true
    done
    # Large, and of no use without the machine.
    rm -f "$vm_dir"/{work.img,results.img,initramfs}
}

# Shows the machine's own lines as they come.
vm_progress() {
    local line
    # tail ends with the machine, after the last line.
    while read -r line; do
        line=${line%$'\r'}
        case $line in
        *memtide-vm:*) note "${line#*memtide-vm: }" ;;
        esac
    done < <(exec tail -q --pid="$vm_pid" -n +1 -F "$1" 2>/dev/null)
}

# vm_verdict DIR STATUS: says how the machine ended, with the log's tail if it did not do so well.
vm_verdict() {
    local why said
    if grep -aq 'memtide-vm: done' "$1/serial.log" 2>/dev/null; then
        return 0
    fi
    case $2 in
    124 | 137) why="the machine hung and was ended after $vm_timeout s" ;;
    *) why="the machine ended early, status $2" ;;
    esac
    said=$(grep -aom 1 'memtide-vm: failed: .*' "$1/serial.log" 2>/dev/null | tr -d '\r') || true
    why=${said:-$why}
    note "$why (see $1/serial.log)"
    echo "$why" >"$1/failed"
    {
        tail -n 3 "$1/qemu.log"
        tail -n 20 "$1/serial.log" | tr -d '\r'
    } 2>/dev/null | sed "s/^/$setup|   /" >&2
    return 1
}
