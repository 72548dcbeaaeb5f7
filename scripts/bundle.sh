#!/usr/bin/env bash
# Builds the browser bundle, unless its sources are unchanged:
#   bundle.sh         the one to ship, smallest, into dist/
#   bundle.sh quick   the one for development, built faster, into target/quick-dist/
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
# What the four programs are made of.
inputs=(app crates/{chart,dashboards,gotemplate,hypervisord,labels,model,redact,rules,standalone,timeseries,yaml}
    crates/metrics/{embedded-engine,exposition,gomath,promql,query-frontend,scrape,tsdb} style public bundle Trunk.toml Cargo.toml Cargo.lock
    scripts/bundle.sh scripts/bindgen scripts/join-styles.sh scripts/with-wasm.sh)

# Directories count too: their time changes when a file is deleted.
if [ -e "$stamp" ] && [ -e "$dist/favicon.svg" ] && [ -z "$(find "${inputs[@]}" -newer "$stamp" -print -quit)" ]; then
    exit 0
fi

scripts/tools.sh bundle
scripts/with-wasm.sh
say "Building the browser bundle into ${dist#"$root"/}, $long"
mkdir -p target/stamps
touch "$stamp.new"
# Trunk runs offline, so the crates must be here before.
cargo fetch --quiet --locked
# Trunk empties the folder that it writes to.
work=$root/target/bundle-$profile
rm -rf "$work" "$dist.new"
mkdir -p "$dist.new"
for program in viewer workbench standalone engine; do
    CARGO_TARGET_DIR=$root/target/wasm scripts/with-wasm.sh \
        env -u NO_COLOR trunk --log error build --cargo-profile "$profile" --release "$release" --dist "$work" "bundle/$program.html" >&2
    # Its page is only what Trunk reads.
    rm -f "$work"/*.html
    cp -a "$work/." "$dist.new/"
done
rm -rf "$dist" "$work"
mv "$dist.new" "$dist"
mv "$stamp.new" "$stamp"
