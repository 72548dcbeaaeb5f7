#!/usr/bin/env bash
# Builds the browser bundle, unless its sources are unchanged:
#   bundle.sh         the one to ship, smallest, into dist/
#   bundle.sh quick   the one for tests and development, built faster, into target/quick-dist/
set -euo pipefail
. "$(dirname "$0")/lib.sh"
PATH="$root/scripts/bindgen:$tools/bin:$PATH"

case "${1:-ship}" in
ship) profile=bundle dist=$root/dist release=true long="about 3 minutes from nothing" ;;
quick) profile=bundle-quick dist=$root/target/quick-dist release=false long="about 1 minute from nothing" ;;
*) die "usage: bundle.sh [quick]" ;;
esac

cd "$root"
stamp=target/stamps/$profile
inputs=(app crates/model crates/chart style public index.html workbench.html Trunk.toml Cargo.toml Cargo.lock
    scripts/bundle.sh scripts/bindgen scripts/join-styles.sh scripts/with-wasm.sh)

# Directories count too: their time changes when a file is deleted.
if [ -e "$stamp" ] && [ -e "$dist/index.html" ] && [ -z "$(find "${inputs[@]}" -newer "$stamp" -print -quit)" ]; then
    exit 0
fi

scripts/tools.sh bundle
scripts/with-wasm.sh
say "Building the browser bundle into ${dist#"$root"/}, $long"
mkdir -p target/stamps
touch "$stamp.new"
# Trunk runs offline, so the crates must be here before.
cargo fetch --quiet --locked
# build PAGE DIST: the program of a page, and what else the page names.
build() {
    CARGO_TARGET_DIR=$root/target/wasm scripts/with-wasm.sh \
        env -u NO_COLOR trunk --log error build --cargo-profile "$profile" --release "$release" --dist "$2" "$1" >&2
}
build index.html "$dist"
# Trunk empties the folder that it writes to.
build workbench.html "$root/target/workbench-dist"
mv "$root"/target/workbench-dist/workbench-* "$dist/"
mv "$stamp.new" "$stamp"
