#!/usr/bin/env bash
# Runs the tests that compare with other programs, with current releases instead of Debian's, and the tests that need a
# current release. Building the programs takes about 10 minutes on two cores; built programs are reused.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
PATH="$tools/bin:$PATH"
cd "$root"

scripts/tools.sh server services node browser
scripts/bundle.sh
scripts/peers.sh
need_go
export HYPERSCOPE_DIST=$root/dist
export PATH=$root/target/peers/bin:$PATH
# Chooses the lists of known differences.
export HYPERSCOPE_PEERS=current

tests=(differential engines federation http_api mimir notify prometheus_backend query_api remote_write rules rules_beside_prometheus)
say "Running the tests beside $(prometheus --version 2>&1 | sed -n '1s/^\(prometheus\), version \([^ ]*\).*/\1 \2/p') and other current releases, about 6 minutes"
cargo test --locked --workspace --test integration -- --include-ignored "${tests[@]/%/::}"

say "Building and running the program in Go that docs/embedding.md shows, about a minute"
cargo build --quiet --locked --workspace
scripts/end2end.sh run tests/embedding.spec.ts
