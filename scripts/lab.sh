#!/usr/bin/env bash
# Runs the lab's own tool (package `lab`, binary asterism-lab) with the tools of .tools in reach.
. "$(dirname "$0")/lib.sh"
exec cargo run --quiet --release --manifest-path "$ROOT/Cargo.toml" --package lab --bin asterism-lab -- "$@"
