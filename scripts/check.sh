#!/usr/bin/env bash
# Everything that is checked without running the project: format, lints, documentation, dependencies, scripts.
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/tools.sh"

cd "$ROOT"
command -v cc >/dev/null || step "linker" ensure_linker
. "$ROOT/scripts/env.sh"

scripts() {
    local script
    for script in just scripts/*.sh images/*/*.sh .ci/run; do bash -n "$script"; done
}

# The database of known faults comes over the network; where it cannot be fetched, that is no fault of the project.
advisories() {
    local log="$LOGS/advisories-only.log"
    cargo deny --workspace check advisories >"$log" 2>&1 && return
    cat "$log"
    grep -q 'failed to fetch advisory database' "$log" || return 1
    echo "NOTE: not checked: the advisory database is out of reach"
}

failed=0
run() { step "$@" || failed=1; }
run "scripts" scripts
run "format" cargo fmt --all --check
run "lints" cargo clippy --workspace --all-targets --locked -- -D warnings
run "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
run "tool cargo-deny" ensure_tool cargo-deny 0.20.2
run "licences and sources" cargo deny --workspace check licenses bans sources
run "advisories" advisories
run "tool cargo-machete" ensure_tool cargo-machete 0.9.2
run "unused dependencies" cargo machete --with-metadata
[ "$failed" = 0 ] || die "not clean; the logs are in .tools/log/"
