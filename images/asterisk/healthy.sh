#!/bin/bash
# Healthy: Asterisk has read everything and answers. Once it was, the next look is in 10 s, which keeps the checks of a whole
# lab cheap; until then each second.
set -euo pipefail
[ ! -e /run/asterisk/healthy ] || sleep 10
asterisk -rx 'core waitfullybooted' | grep -q 'fully booted'
touch /run/asterisk/healthy
