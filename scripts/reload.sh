#!/usr/bin/env bash
# From a change in crates/ or compose/node*.toml to new nodes in the running lab: builds the node, its image, and replaces the two node containers.
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/images.sh"

node_program() { cargo build --release --manifest-path "$ROOT/Cargo.toml" --package node; }
# Always new containers: the nodes' configuration, which compose does not compare, may have changed.
replace() { compose up --detach --no-deps --force-recreate --wait --wait-timeout 60 east-node1 east-node2; }

step "node (cargo)" node_program
step "image node" node_image
step "replace the nodes" replace || {
    compose logs --no-log-prefix --tail 15 east-node1
    exit 1
}
say "The new nodes run ($SECONDS s)."
