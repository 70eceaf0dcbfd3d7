#!/bin/bash
# Healthy: the relay answers GET /healthz. Once it did, the next look is in 10 s, which keeps the checks of a whole lab cheap.
set -euo pipefail
[ ! -e /tmp/healthy ] || sleep 10
exec 3<>/dev/tcp/127.0.0.1/9474
printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
read -r -t 5 status <&3
[[ $status == *" 200 "* ]]
touch /tmp/healthy
