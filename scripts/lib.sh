# shellcheck shell=bash
# What every script of this folder starts from: places, environment, words for the user.
# Sourced, never run.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
TOOLS="$ROOT/.tools"
LOGS="$TOOLS/log"
mkdir -p "$LOGS" "$TOOLS/bin"

# shellcheck source=scripts/env.sh
. "$ROOT/scripts/env.sh"

say() { printf '%s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# step NAME COMMAND...: runs it with its output in .tools/log/NAME.log; one line with the seconds, the log's end when it fails.
step() {
    local name="$1" begin="$SECONDS" log
    shift
    log="$LOGS/${name// /-}.log"
    if "$@" >"$log" 2>&1; then
        # What a step wants the user to know it logs with a leading "NOTE: ".
        printf '  %-28s %4d s\n' "$name" "$((SECONDS - begin))"
        sed -n 's/^NOTE: /    /p' "$log"
    else
        printf '  %-28s FAILED after %d s; the end of %s:\n' "$name" "$((SECONDS - begin))" "${log#"$ROOT"/}" >&2
        tail -n 25 "$log" | sed 's/^/    | /' >&2
        return 1
    fi
}

# docker build, by BuildKit where the engine's client has it, else by the legacy builder.
docker_build() {
    if docker buildx version >/dev/null 2>&1; then
        docker buildx build --load --progress plain "$@"
    else
        DOCKER_BUILDKIT=0 docker build "$@"
    fi
}
