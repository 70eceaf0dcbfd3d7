#!/usr/bin/env bash
# Prints where the running lab can be looked at. Nothing is opened.
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/secrets.sh"

place() { printf '  %-11s %s\n' "$@"; }

# published SERVICE PORT: where docker shows it on this host, if it runs.
published() { compose port "$1" "$2" 2>/dev/null || true; }

main() {
    local exporter prometheus grafana
    exporter="$(published east-node1-host 9711)"
    prometheus="$(published prometheus 9090)"
    grafana="$(published grafana 3000)"
    [ -n "$prometheus" ] || die "the lab is not up: ./just up"
    say "To look at, from this machine only:"
    # What stands behind # stays in the browser; the page takes the token from there and shows itself.
    place exporter "http://$exporter/#token=$(setting NODE_TOKEN "")"
    [ "${SITES:-2}" = 1 ] || place "both sites" "http://$(east_net).33:9711/#token=$(setting NODE_TOKEN "")"
    place Prometheus "http://$prometheus/alerts"
    if [ -n "$grafana" ]; then
        place Grafana "http://$grafana/"
    else
        place Grafana "does not run here: its image could not be pulled"
    fi
}

main
