#!/usr/bin/env bash
# Every benchmark on the release build: prints a table, writes bench/results.json.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
PATH="$tools/bin:$PATH"
cd "$root"

scripts/build.sh
scripts/tools.sh services node browser
# Compares with current releases.
scripts/peers.sh prometheus victoria-metrics
PATH="$root/target/peers/bin:$PATH"
cargo build --quiet --release --locked --package hyperscope-bench

parts=$root/target/bench
rm -rf "$parts"
mkdir -p "$parts"
export HYPERSCOPE_BIN=$root/target/release/hyperscope

say "Measuring the server, about 5 minutes"
target/release/hyperscope-bench server --binary "$HYPERSCOPE_BIN" --out "$parts/server.json" >&2

say "Measuring store and engine beside Prometheus and VictoriaMetrics, about 7 minutes"
target/release/hyperscope-bench engine --binary "$HYPERSCOPE_BIN" --victoria-metrics victoria-metrics --out "$parts/engine.json" >&2

say "Measuring in front of Prometheus, about 4 minutes"
target/release/hyperscope-bench front --binary "$HYPERSCOPE_BIN" --out "$parts/front.json" >&2

say "Measuring rules beside Prometheus and a storm of alerts, about 3 minutes"
target/release/hyperscope-bench rules --binary "$HYPERSCOPE_BIN" --out "$parts/rules.json" >&2

say "Measuring how long queries take to parse"
target/release/hyperscope-bench parse --out "$parts/parse.json" >&2

say "Measuring in the browser, beside uPlot too, about 9 minutes"
HYPERSCOPE_BENCH_ROWS=$parts/browser.json scripts/end2end.sh run --config bench.config.ts >&2

target/release/hyperscope-bench report --out bench/results.json "$parts/server.json" "$parts/engine.json" "$parts/front.json" "$parts/rules.json" "$parts/parse.json" "$parts/browser.json"
