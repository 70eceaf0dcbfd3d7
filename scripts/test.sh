#!/usr/bin/env bash
# Runs every test: units and properties, then the lab suite, which starts a lab of its own. The last line sums up.
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/tools.sh"
. "$ROOT/scripts/images.sh"
. "$ROOT/scripts/secrets.sh"

log="$LOGS/test.log"
failed=0

docker compose version >/dev/null 2>&1 || step "compose" ensure_compose
command -v cc >/dev/null || step "linker" ensure_linker
. "$ROOT/scripts/env.sh"
ensure_secrets
build_all
ensure_keys
# Where one of them cannot be had, the test that needs it says so; all others run.
step "image schema" schema_image || true
step "image chromium" image chromium "$ROOT/images/chromium" || true
step "image asterisk16" asterisk16_image || true

cargo test --manifest-path "$ROOT/Cargo.toml" --workspace --no-fail-fast "$@" 2>&1 | tee "$log" || failed=1

# "test result: ok. 12 passed; 0 failed; ..."
awk -v broken="$failed" '
    /^test result:/ { passed += $4; failed += $6 }
    END {
        # A test program that did not build or crashed has no result line.
        if (broken && !failed) failed = 1
        printf "%d passed, %d failed\n", passed, failed
    }' "$log"
exit "$failed"
