#!/usr/bin/env bash
# Builds the browser bundle into dist/ and the release binary that contains it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$root"

scripts/tools.sh server
scripts/bundle.sh
[ -e target/release/hyperscope ] || say "Building the release binary, about 6 minutes from nothing on two cores"
cargo build --release --locked --package server
