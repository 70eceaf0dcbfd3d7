#!/usr/bin/env bash
# Everything that is checked without running the project: format, lints, documentation, dependencies, scripts.
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/tools.sh"

cd "$ROOT"
command -v cc >/dev/null || step "linker" ensure_linker
. "$ROOT/scripts/env.sh"

# tool NAME VERSION: from crates.io into .tools, unless that version is there.
tool() { [ "$("$TOOLS/bin/$1" --version 2>/dev/null)" = "$1 $2" ] || cargo install "$1" --version "$2" --locked --root "$TOOLS"; }
scripts() {
    local script
    for script in just scripts/*.sh images/*/*.sh .ci/run; do bash -n "$script"; done
}

failed=0
run() { step "$@" || failed=1; }
run "scripts" scripts
run "format" cargo fmt --all --check
run "lints" cargo clippy --workspace --all-targets --locked -- -D warnings
run "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
run "tool cargo-deny" tool cargo-deny 0.20.2
run "licences and advisories" cargo deny --workspace check
run "tool cargo-machete" tool cargo-machete 0.9.2
run "unused dependencies" cargo machete
[ "$failed" = 0 ] || die "not clean; the logs are in .tools/log/"
