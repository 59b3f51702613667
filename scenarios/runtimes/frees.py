"""As it is told on stdin: `fill MIB SIZE` (bytes objects), `small MIB` (tuples), `free KEEP`.
Each is answered with `done`."""
import gc
import sys

objects = []
for line in sys.stdin:
    word, *numbers = line.split()
    a, b, *_ = [int(n) for n in numbers] + [0, 0]
    if word == "fill":
        objects = [bytes([i % 255 + 1]) * b for i in range((a << 20) // b)]
    elif word == "small":
        # A tuple of one float that is its own: 56 and 24 bytes of pymalloc's pools.
        objects = [(i + 0.5,) for i in range((a << 20) // 80)]
    elif word == "free":
        objects = objects[a - 1 :: a] if a else []
        gc.collect()
    print("done", flush=True)
