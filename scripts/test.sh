#!/usr/bin/env bash
# Every test: unit and integration tests in Rust, those beside a real Prometheus and Alertmanager, then the browser's.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
PATH="$tools/bin:$PATH"
cd "$root"

scripts/tools.sh server services node browser

scripts/bundle.sh quick
export HYPERSCOPE_DIST=$root/target/quick-dist

say "Running the Rust tests; building them takes about 5 minutes from nothing"
cargo test --locked --workspace

say "Running the browser tests, about 3 minutes"
cargo build --quiet --locked --package server
scripts/end2end.sh run

say "Trying the bundle that is shipped: it is made with other settings than the one for tests"
scripts/bundle.sh
HYPERSCOPE_SHIPPED=$root/dist HYPERSCOPE_DIST=$root/dist scripts/end2end.sh run tests/hydration.spec.ts
HYPERSCOPE_SHIPPED=$root/dist HYPERSCOPE_DIST=$root/dist scripts/end2end.sh run tests/standalone.spec.ts --grep 'fills the three pages|small together'
