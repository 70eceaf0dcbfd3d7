# shellcheck shell=bash
# Puts the tools that were brought into .tools in reach. Sourced by every script; changes nothing outside this process.
TOOLS="${TOOLS:?}"
case ":$PATH:" in
*":$TOOLS/bin:"*) ;;
*) PATH="$TOOLS/bin:$PATH" ;;
esac
# rustup's default place, for shells that have not read its profile yet.
if ! command -v cargo >/dev/null && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
    PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
fi
export PATH

# The plugin folder of our own stands in for the user's only when compose had to be brought.
if [ -x "$TOOLS/docker/cli-plugins/docker-compose" ]; then
    export DOCKER_CONFIG="$TOOLS/docker"
fi

# A linker of our own, only where the system has none.
if [ -x "$TOOLS/cc/bin/cc" ] && ! command -v cc >/dev/null; then
    PATH="$TOOLS/cc/bin:$PATH"
fi
