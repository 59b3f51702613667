#!/usr/bin/env bash
# Fires when rss has been above 80 % of the limit for 60 seconds. Needs bash and jq.
#
#   memtide judge --detector ./threshold.sh
set -euo pipefail

# jq reads the feed line by line (`inputs`) and keeps since when each container has been above.
exec jq -n -c --unbuffered '
  foreach inputs as $s ({};
    if $s.container == "" or ($s.container_spec_memory_limit_bytes // 0) == 0 then
      .fire = null
    elif ($s.container_memory_rss // 0) > 0.8 * $s.container_spec_memory_limit_bytes then
      .since[$s.id] //= $s.t
      | .fire = (if $s.t - .since[$s.id] >= 60 then $s.t else null end)
    else
      del(.since[$s.id]) | .fire = null
    end;
    select(.fire != null) | {fire: true, t: .fire, class: "leak"})
'
