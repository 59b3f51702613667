#!/usr/bin/env python3
"""Fires when rss has risen in every fifth of ten minutes and is above 70 % of the limit.

    memtide judge --detector ./slope.py

Only the standard library is used. One line in is one container at one scrape.
"""

import json
import sys
from collections import defaultdict, deque

WINDOW_S = 600
PARTS = 5

history = defaultdict(deque)
fired = set()

for line in sys.stdin:
    sample = json.loads(line)
    container = sample["id"]
    # The pod's own cgroup has an empty container label, as in PromQL.
    if not sample["container"] or container in fired:
        continue
    limit = sample.get("container_spec_memory_limit_bytes", 0)
    rss = sample.get("container_memory_rss")
    # A key that is not there is a value that the kernel did not give: never read it as 0.
    if not limit or rss is None:
        continue
    window = history[container]
    window.append((sample["t"], rss))
    while window[0][0] < sample["t"] - WINDOW_S:
        window.popleft()
    start, now = window[0][0], sample["t"]
    if now - start < WINDOW_S * 0.9:
        continue
    # The lowest of each part: what stays when garbage was collected.
    lowest = [float("inf")] * PARTS
    for t, value in window:
        part = min(int((t - start) / (now - start) * PARTS), PARTS - 1)
        lowest[part] = min(lowest[part], value)
    rising = all(later > earlier + limit / 500 for earlier, later in zip(lowest, lowest[1:]))
    if rising and rss > 0.7 * limit:
        fired.add(container)
        print(json.dumps({"fire": True, "t": sample["t"], "class": "leak"}), flush=True)
