#!/bin/bash
# Puts the token where the configuration looks for it, then becomes Prometheus; or what is asked for, such as `promtool check …`.
#   NODE_TOKEN    what nodes and exporter want to be shown
set -euo pipefail
umask 077
printf '%s' "${NODE_TOKEN:?}" >/run/prometheus/token
[ "$#" = 0 ] || exec "$@"
# The events that scripts/event.sh writes are served by Prometheus itself, under /user, and read from there.
exec prometheus --config.file=/etc/prometheus/prometheus.yml --web.listen-address=0.0.0.0:9090 --web.user-assets=/srv/events \
    --storage.tsdb.path=/var/lib/prometheus --storage.tsdb.retention.time=2d --storage.tsdb.retention.size=1GB \
    --enable-feature=exemplar-storage --log.level=warn
