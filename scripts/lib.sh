# shellcheck shell=bash
# What every script of this folder starts from: places, environment, words for the user. Sourced, never run.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
TOOLS="$ROOT/.tools"
LOGS="$TOOLS/log"
mkdir -p "$LOGS" "$TOOLS/bin"

# shellcheck source=scripts/env.sh
. "$ROOT/scripts/env.sh"

PROJECT="${COMPOSE_PROJECT_NAME:-asterism}"

say() { printf '%s\n' "$*"; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# step NAME COMMAND...: runs it with its output in .tools/log/NAME.log; says how long it took, or shows the log's end
# (STEP_TAIL lines). What the user should know the command prints with a leading "NOTE: ".
step() {
    local name="$1" begin="$SECONDS" log
    shift
    log="$LOGS/${name// /-}.log"
    # In the background, so that `set -e` holds inside of it; in a condition it would not.
    start_job "$@" >"$log" 2>&1
    if wait "$!"; then
        printf '  %-24s %4d s\n' "$name" "$((SECONDS - begin))"
        sed -n 's/.*NOTE: /      /p' "$log" | sort -u
    else
        printf '  %-24s FAILED after %d s; the end of %s:\n' "$name" "$((SECONDS - begin))" "${log#"$ROOT"/}"
        tail -n "${STEP_TAIL:-25}" "$log" | sed 's/^/      | /'
        return 1
    fi
}

# A background job ($!) in a process group of its own, so that Ctrl-C can end all of it. Within a job: in that job's group.
start_job() {
    [ "$BASH_SUBSHELL" != 0 ] || set -m
    "$@" &
    set +m
}

end_jobs() {
    trap - INT TERM
    local job
    for job in $(jobs -p); do kill -TERM -- "-$job" 2>/dev/null || true; done
    exit 130
}
trap end_jobs INT TERM

# docker build, by BuildKit where the engine's client has it, else by the legacy builder.
docker_build() {
    if docker buildx version >/dev/null 2>&1; then
        docker buildx build --load --progress plain "$@"
    else
        DOCKER_BUILDKIT=0 docker build --force-rm "$@"
    fi
}

# The lab, its second site unless SITES=1, what watches it, and its ports on 127.0.0.1.
compose() {
    local name files=() names=(compose west monitoring monitoring-sites ports)
    [ "${SITES:-2}" != 1 ] || names=(compose monitoring ports)
    for name in "${names[@]}"; do files+=(--file "$ROOT/compose/$name.yaml"); done
    docker compose --project-name "$PROJECT" "${files[@]}" "$@"
}

# event KIND TEXT: for the annotations of the dashboards. What is done does not depend on its being written down.
event() { "$ROOT/scripts/event.sh" "$@" || true; }

# Removes every container, network and volume of the compose projects named; needs no Compose and no valid file.
remove_projects() {
    local project filter
    for project in "$@"; do
        filter="label=com.docker.compose.project=$project"
        docker ps -aq --filter "$filter" | xargs -r docker rm --force --volumes >/dev/null
        docker network ls -q --filter "$filter" | xargs -r docker network rm >/dev/null
        docker volume ls -q --filter "$filter" | xargs -r docker volume rm >/dev/null
    done
}
