#!/usr/bin/env bash
# From a change in crates/ or compose/*.toml to new nodes and a new exporter in the running lab: builds them and their images, and
# replaces their containers. Prometheus reads its files again.
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/images.sh"

reloaded() { cargo build --release --manifest-path "$ROOT/Cargo.toml" --package node --package exporter; }
# Always new containers: the configuration files, which compose does not compare, may have changed.
west=(west-node1 west-node2)
[ "${SITES:-2}" != 1 ] || west=()
replace() { compose up --detach --no-deps --force-recreate --wait --wait-timeout 60 east-node1 east-node2 "${west[@]}" east-exporter; }
reread() { compose kill --signal HUP prometheus; }

step "programs (cargo)" reloaded
step "image node" program_image node
step "image exporter" program_image exporter
event reload "nodes and exporter"
step "replace them" replace || {
    compose logs --tail 15 east-node1 east-exporter
    exit 1
}
step "Prometheus reads anew" reread
say "The new nodes run ($SECONDS s)."
