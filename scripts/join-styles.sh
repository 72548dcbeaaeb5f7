#!/usr/bin/env bash
# Joins style/*.css, in the order of their names, into the one style sheet that Trunk minifies and hashes.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

out=$root/target/style/main.css
mkdir -p "$(dirname "$out")"
cat "$root"/style/*.css >"$out.new"
# Not written if nothing changed, so that watchers are not triggered.
if cmp -s "$out.new" "$out"; then rm "$out.new"; else mv "$out.new" "$out"; fi
