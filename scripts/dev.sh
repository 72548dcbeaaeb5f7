#!/usr/bin/env bash
# Runs the demo from a debug build on 127.0.0.1:3030 and rebuilds when a source file changes.
# The bundle is read from disk: after a change of the browser's code, only reload the page.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
PATH="$tools/bin:$PATH"
cd "$root"

scripts/tools.sh server
export HYPERSCOPE_DIST=$root/target/quick-dist
sources=(app crates dashboards rules server style public bundle Cargo.toml)
started= server=

stop() { [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; } || true; }
trap 'stop; exit 0' EXIT INT TERM

# The newest change among the sources, to the nanosecond, and how many files there are.
state() { find "${sources[@]}" -type f -printf '%T@\n' 2>/dev/null | sort -rn | awk 'NR == 1 { newest = $0 } END { print newest, NR }'; }

while true; do
    now=$(state)
    if [ "$now" != "$started" ]; then
        started=$now
        if scripts/bundle.sh quick && cargo build --package server; then
            # Only a new binary needs a restart.
            binary=$(stat -c %Y target/debug/hyperscope)
            if [ "$binary" != "${running:-}" ]; then
                stop
                target/debug/hyperscope demo --listen 127.0.0.1:3030 &
                server=$! running=$binary
            fi
        else
            say "The build failed; waiting for the next change"
        fi
    fi
    sleep 1
done
