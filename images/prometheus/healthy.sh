#!/bin/bash
# Healthy: Prometheus is ready to answer queries. Once it was, the next look is in 10 s.
set -euo pipefail
[ ! -e /run/prometheus/healthy ] || sleep 10
exec 3<>/dev/tcp/127.0.0.1/9090
printf 'GET /-/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
read -r -t 5 status <&3
[[ $status == *" 200 "* ]]
touch /run/prometheus/healthy
