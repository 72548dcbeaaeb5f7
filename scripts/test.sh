#!/usr/bin/env bash
# Every test: unit and integration tests in Rust, those beside a real Prometheus and Alertmanager, then the browser's.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
PATH="$tools/bin:$PATH"
cd "$root"

scripts/tools.sh server services node browser

# The bundle that is shipped, so that what is tested is what users get. HYPERSCOPE_SHIPPED lets tests of its size run.
scripts/bundle.sh
export HYPERSCOPE_DIST=$root/dist HYPERSCOPE_SHIPPED=$root/dist

say "Running the Rust tests; building them takes about 5 minutes from nothing"
cargo test --locked --workspace

say "Running the browser tests, about 12 minutes"
cargo build --quiet --locked --package server
scripts/end2end.sh run
