#!/usr/bin/env bash
# Fuzzes every parser of external input: fuzz.sh [SECONDS], 60 per target by default.
# Inputs with new coverage are stored in target/fuzz/corpus and used again. An input that fails is stored in
# fuzz/found, where the tests run it from then on.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
PATH="$tools/bin:$PATH"
cd "$root"

seconds=${1:-60}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || die "'$seconds' is no number of seconds. Say 'make fuzz SECONDS=60'."
scripts/tools.sh fuzz
# The compiler options that libFuzzer needs are not stable yet.
export RUSTC_BOOTSTRAP=1
say "Building the targets, about 2 minutes the first time"
cargo fuzz build --release --debug-assertions --sanitizer none --target-dir target/fuzz >&2

# seed TARGET: its seeds in the corpus; a line is an input, and so is a file.
seed() {
    local file line number=0 corpus=target/fuzz/corpus/$1
    mkdir -p "$corpus" "fuzz/found/$1"
    for file in "fuzz/seeds/$1"/* "fuzz/found/$1"/*; do
        [ -f "$file" ] || continue
        cp "$file" "$corpus/seed-${file##*/}"
        while IFS= read -r line; do
            number=$((number + 1))
            printf '%s' "$line" >"$corpus/seed-line-$number"
        done < <(tr -d '\0' <"$file")
    done
}

say "Trying each of exposition, promql and remote_write for $seconds s"
pids=()
for target in exposition promql remote_write; do
    seed "$target"
    # Runs the program itself, so that we can stop its process.
    target/fuzz/*/release/$target "target/fuzz/corpus/$target" -max_total_time="$seconds" -max_len=4096 -timeout=30 -report_slow_units=30 \
        -rss_limit_mb=4096 -artifact_prefix="fuzz/found/$target/" >"target/fuzz/$target.log" 2>&1 &
    pids+=($!)
done
trap 'kill "${pids[@]}" 2>/dev/null || true' EXIT
broken=0
for place in 0 1 2; do wait "${pids[$place]}" || broken=1; done
grep -H '^Done\|^SUMMARY' target/fuzz/*.log || true
[ $broken = 0 ] || die "An input broke something: it is in fuzz/found, what happened is in target/fuzz/*.log."
