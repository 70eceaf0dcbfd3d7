#!/usr/bin/env bash
# Fuzzes the decoders: `fuzz.sh [TARGET] [SECONDS]`, all targets and 60 seconds each unless told otherwise. What is found
# stays in target/fuzz; `fuzz.sh keep [TARGET]` takes over into crates/fuzz/corpus what covers something new.
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/tools.sh"

fuzz="$ROOT/crates/fuzz"
out="${CARGO_TARGET_DIR:-$ROOT/target}/fuzz"
targets=("$fuzz"/libfuzzer/fuzz_targets/*.rs)
targets=("${targets[@]##*/}")
targets=("${targets[@]%.rs}")

programs() {
    cargo fuzz build --fuzz-dir "$fuzz/libfuzzer" --target-dir "$out" --sanitizer none
}

# libfuzzer TARGET ARGUMENTS...
libfuzzer() {
    local program
    program="$out/$(rustc -vV | sed -n 's/^host: //p')/release/$1"
    "$program" -artifact_prefix="$out/broken/$1-" -timeout=5 -rss_limit_mb=1024 -malloc_limit_mb=64 "${@:2}"
}

# Its last lines say how many inputs were tried, how many in a second, and how many edges of the program they cover.
search() {
    local log="$out/$1.log"
    if ! libfuzzer "$1" -max_total_time="$2" -max_len=4096 -print_final_stats=1 "$out/corpus/$1" "$fuzz/corpus/$1" >"$log" 2>&1; then
        grep -A 3 -e ' panicked at ' -e 'ERROR: ' "$log" || tail -n 25 "$log"
        local input
        for input in "$out/broken/$1"-*; do
            [ ! -e "$input" ] || echo "$input broke it; copied to $fuzz/corpus/$1 under a name that says what is wrong, it breaks \`cargo test -p fuzz\` until it does not."
        done
        return 1
    fi
    awk '/ cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") edges = $(i + 1) }
        /number_of_executed_units/ { runs = $2 } /average_exec_per_sec/ { speed = $2 }
        END { printf "NOTE: %d runs, %d a second, %d edges\n", runs, speed, edges }' "$log"
}

keep() {
    libfuzzer "$1" -set_cover_merge=1 -use_counters=0 "$fuzz/corpus/$1" "$out/corpus/$1"
}

verb=search
seconds=60
for word; do
    case "$word" in
    keep) verb=keep ;;
    *[!0-9]*)
        [ -e "$fuzz/libfuzzer/fuzz_targets/$word.rs" ] || die "no target $word; there are: ${targets[*]}"
        targets=("$word")
        ;;
    *) seconds="$word" ;;
    esac
done

command -v cc >/dev/null || step "linker" ensure_linker
. "$ROOT/scripts/env.sh"
command -v c++ >/dev/null || die "libFuzzer is C++ and there is no c++; install a compiler, for example Debian's g++"
step "tool cargo-fuzz" ensure_tool cargo-fuzz 0.13.2
step "programs" programs
failed=0
for target in "${targets[@]}"; do
    mkdir -p "$out/corpus/$target" "$out/broken"
    step "$verb $target" "$verb" "$target" "$seconds" || failed=1
done
exit "$failed"
