<?php
// As it is told on stdin: `small MIB` (arrays), `fill MIB SIZE` (strings), `free`, `caches`.
// Each is answered with `done`.
ini_set('memory_limit', '-1');
$objects = [];
while (($line = fgets(STDIN)) !== false) {
    [$word, $a, $b] = explode(' ', trim($line)) + [1 => '0', 2 => '0'];
    if ($word === 'small') {
        for ($i = (int) (((int) $a << 20) / 400); $i > 0; $i--) $objects[] = [$i];
    } elseif ($word === 'fill') {
        for ($i = (int) (((int) $a << 20) / (int) $b); $i > 0; $i--) $objects[] = str_repeat('x', (int) $b);
    } elseif ($word === 'free') {
        $objects = [];
    } elseif ($word === 'caches') {
        gc_collect_cycles();
        gc_mem_caches();
    }
    echo "done\n";
}
