#!/usr/bin/env bash
# Brings the lab up, from nothing or from whatever is there: builds what is missing, starts, waits for health, shows the result.
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/tools.sh"
. "$ROOT/scripts/images.sh"
. "$ROOT/scripts/secrets.sh"

main() {
    local verdict=0
    "$ROOT/scripts/doctor.sh" --brief || verdict=$?
    [ "$verdict" != 1 ] || exit 1

    prepare || give_up_building
    # shellcheck source=scripts/env.sh
    . "$ROOT/scripts/env.sh"
    # Beside the build: it only waits for the network.
    start_job step "image grafana" grafana_image
    local pull="$!"
    build_all || give_up_building
    ensure_keys
    wait "$pull" || true
    event up "$PROJECT"
    STEP_TAIL=1 step "start and wait for health" start || report_containers
    "$ROOT/scripts/lab.sh" show
    say ""
    say "The lab is up ($SECONDS s). Next: ./just call   ./just status   ./just logs east-node1   ./just cli east-pbx1   ./just down"
    say ""
    "$ROOT/scripts/open.sh"
}

prepare() {
    docker compose version >/dev/null 2>&1 || step "compose" ensure_compose || return 1
    command -v cc >/dev/null || step "linker" ensure_linker || return 1
    ensure_secrets
}

# `--wait`: until every container is healthy, or one has failed.
start() {
    local profiles=()
    ! docker image inspect "$(grafana_name)" >/dev/null 2>&1 || profiles=(--profile grafana)
    compose "${profiles[@]}" up --detach --remove-orphans --wait --wait-timeout 120
}

# The one image from elsewhere; nothing depends on it.
grafana_image() {
    docker image inspect "$(grafana_name)" >/dev/null 2>&1 || timeout 40 docker pull -q "$(grafana_name)" ||
        echo "NOTE: $(grafana_name) cannot be pulled: the lab runs without Grafana (Prometheus and the exporter's page show the same figures)"
}
grafana_name() { sed -n 's/^ *image: \(grafana.*\)/\1/p' "$ROOT/compose/monitoring.yaml"; }

give_up_building() {
    say ""
    say "error: the build failed; nothing was started. The whole log is in .tools/log/. Mend that and run the same command again:"
    say "       what was built is kept."
    exit 1
}

# Which container is to blame, and the end of what it said.
report_containers() {
    local service state status
    say ""
    compose ps --all --format '{{.Service}} {{.State}} {{.Status}}' | while read -r service state status; do
        case "$state $status" in
        running*unhealthy* | running*starting*) ;;
        running*) continue ;;
        # Never started, because of another one.
        created*) continue ;;
        esac
        say "error: $service is not well ($status); the end of its log:"
        compose logs --no-color --no-log-prefix --tail 15 "$service" 2>&1 | tr -d '\033' | sed 's/^\[2K//; s/^/  | /'
    done
    say ""
    say "What to do: ./just logs SERVICE shows all of a log, ./just up tries again with what is there, ./just down && ./just up starts anew."
    exit 1
}

main "$@"
