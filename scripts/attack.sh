#!/usr/bin/env bash
# Attacks whole servers as holders of tokens could, and checks that memory stays below its limit, rules are evaluated in time and other clients are served.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
PATH="$tools/bin:$PATH"
cd "$root"

scripts/tools.sh server
say "Attacking servers, about 5 minutes beside the build"
exec cargo test --workspace --test integration attack:: -- --ignored --nocapture --test-threads 1
