#!/usr/bin/env bash
# Format, lints of the server's and the browser's code, licences and sources of what is linked in, spelling, the browser tests' types.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
PATH="$tools/bin:$PATH"
cd "$root"

scripts/tools.sh server deny typos node
scripts/with-wasm.sh

say "Checking the format"
cargo fmt --all --check

say "Checking the server's code (clippy), about 3 minutes from nothing"
cargo clippy --quiet --locked --workspace --all-targets -- --deny warnings

say "Checking the browser's code (clippy), about 1 minute from nothing"
CARGO_TARGET_DIR=$root/target/wasm scripts/with-wasm.sh cargo clippy --quiet --locked \
    --package app --bins --features browser --target wasm32-unknown-unknown -- --deny warnings
# What a page without a server does by itself, with all that it is made of.
CARGO_TARGET_DIR=$root/target/wasm scripts/with-wasm.sh cargo clippy --quiet --locked \
    --package standalone --bins --features worker --target wasm32-unknown-unknown -- --deny warnings
CARGO_TARGET_DIR=$root/target/wasm scripts/with-wasm.sh cargo clippy --quiet --locked \
    --package hypervisord --package promql --package tsdb --package exposition --package scrape --package rules --target wasm32-unknown-unknown -- --deny warnings

say "Checking licences and sources of the dependencies"
cargo deny --log-level error check licenses bans sources

say "Checking spelling and words"
typos

say "Checking the browser tests' types"
scripts/end2end.sh check
