#!/usr/bin/env bash
# Removes every container, network and volume of the lab. With `--clean` also test labs left behind, the images, the tools and the secrets.
. "$(dirname "$0")/lib.sh"

# Helpers that hold a partition are in none of compose's projects.
docker ps -aq --filter "label=asterism.lab=$PROJECT" | xargs -r docker rm --force --volumes >/dev/null
remove_projects "$PROJECT"
event down "$PROJECT"
say "The lab is gone."
[ "${1:-}" = --clean ] || exit 0

# shellcheck disable=SC2046  # one word for each project
remove_projects $(docker ps -a --format '{{.Label "com.docker.compose.project"}}' | grep '^asterism-test-' | sort -u || true)
docker images --format '{{.Repository}}:{{.Tag}}' 'asterism/*' | xargs -r docker rmi --force >/dev/null
docker image prune --force --filter label=asterism.stage >/dev/null
docker image prune --force --filter label=asterism.inputs >/dev/null
rm -f "$ROOT/compose/.env"
chmod -R u+w "$TOOLS"
rm -rf "$TOOLS"
say "Images, tools and secrets too. (cargo's output stays: cargo clean removes it.)"
