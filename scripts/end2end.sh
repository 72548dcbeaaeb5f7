#!/usr/bin/env bash
# The browser tests:
#   end2end.sh check          their types
#   end2end.sh run [ARG...]   run them, with Playwright's arguments; the binary and the bundle must be built
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$root/end2end"

# Uses Debian's Chromium; Playwright downloads none.
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1

"$root/scripts/tools.sh" node
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    say "Fetching Playwright for the browser tests, a few seconds"
    npm ci --no-audit --no-fund --loglevel error >&2 || die "'npm ci' failed in end2end/. See what it says above; it needs the npm registry."
    touch node_modules/.package-lock.json
fi

case "${1:-}" in
check) exec npx --no-install tsc --noEmit ;;
run)
    shift
    "$root/scripts/tools.sh" browser
    exec npx --no-install playwright test "$@"
    ;;
*) die "usage: end2end.sh check|run" ;;
esac
