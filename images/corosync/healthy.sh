#!/bin/bash
# Healthy: corosync answers and the whole ring is there, or 15 s have passed (then it serves with the members that live).
# A ring that is complete before its clients join spares them a merge, in which stock res_corosync loses states.
# Once it was healthy the next look is in 10 s, which keeps the checks of a whole lab cheap; until then each second.
set -euo pipefail
[ ! -e /run/healthy ] || sleep 10
members="$(corosync-quorumtool -l 2>/dev/null | grep -c '^ *[0-9]' || true)"
expected="$(wc -w <<<"$RING")"
[ "$members" -ge 1 ]
[ "$members" -ge "$expected" ] || [ $(($(date +%s) - $(cat /run/corosync.start))) -ge 15 ]
touch /run/healthy
