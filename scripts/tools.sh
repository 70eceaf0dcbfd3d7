# shellcheck shell=bash
# Brings what a fresh Debian 12 lacks into .tools: Compose v2 and a linker. Sourced.
. "$ROOT/scripts/debian.sh"

# Packages are taken from the next Debian release: the first with Compose v2; its programs still run on Debian 12.
TOOLS_SUITE=trixie

ensure_compose() {
    ! docker compose version >/dev/null 2>&1 || return 0
    mkdir -p "$TOOLS/docker/cli-plugins"
    debian_unpack "$TOOLS_SUITE" "$TOOLS/compose" docker-compose || return 1
    local binary
    binary="$(find "$TOOLS/compose/usr" -type f -perm -100 -name docker-compose | head -n 1)"
    mv "$binary" "$TOOLS/docker/cli-plugins/docker-compose"
    rm -r "$TOOLS/compose"
    # The user's own settings (a registry's login, say) stay in reach.
    ln -sf "${DOCKER_CONFIG:-$HOME/.docker}/config.json" "$TOOLS/docker/config.json"
    export DOCKER_CONFIG="$TOOLS/docker"
    docker compose version
}
