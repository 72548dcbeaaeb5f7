#!/usr/bin/env bash
# Installs what a verb of the Makefile needs and is not there yet:
#   tools.sh server   a Rust compiler new enough, a C compiler and make
#   tools.sh bundle   trunk and wasm-bindgen
#   tools.sh node     Node with npm, for the browser tests
#   tools.sh browser  Chromium
#   tools.sh services Prometheus, Alertmanager, nginx and others, for the tests against the real ones
#   tools.sh deny     cargo-deny
#   tools.sh typos    typos, which checks spelling
#   tools.sh fuzz     cargo-fuzz, and the C++ compiler that libFuzzer is built with
# Tools of the right version on PATH are used; others are built once into target/tools.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
PATH="$tools/bin:$PATH"

trunk_version=0.21.14
deny_version=0.20.2
typos_version=1.52.0
fuzz_version=0.13.2
# The command and the crate that the bundle links must be equal.
wasm_bindgen_version=$(sed -n '/^name = "wasm-bindgen"$/{n;s/^version = "\(.*\)"$/\1/p}' "$root/Cargo.lock")
rust_version=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$root/Cargo.toml")

# is_version COMMAND VERSION: whether the command on PATH is that version.
is_version() { have "$1" && [[ " $("$1" --version 2>/dev/null) " == *" $2 "* ]]; }

# cargo_tool COMMAND VERSION HOW-LONG PACKAGE [OPTION...]: built without optimisation, which halves the wait.
cargo_tool() {
    local command=$1 version=$2 long=$3 package=$4
    shift 4
    is_version "$command" "$version" && return 0
    say "Building $package $version into target/tools once, $long on two cores"
    # Its own settings: neither this workspace's toolchain choice nor its flags.
    (cd / && env -u RUSTFLAGS -u RUSTUP_TOOLCHAIN -u CARGO_BUILD_TARGET CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$root/target/tools-build" \
        cargo install --quiet --force --debug --root "$tools" --version "=$version" "$package" "$@" >&2) ||
        die "$package $version could not be built. Try 'cargo install $package --version $version' by hand and see what it says."
    rm -rf "$root/target/tools-build"
    is_version "$command" "$version" || die "$command was installed but does not answer '$version' to --version."
}

need_server() {
    have cc || apt_install "a C compiler" gcc libc6-dev
    have make || apt_install "make" make
    have cargo || die "Rust is not installed. Install it from https://rustup.rs (stable, $rust_version or newer), then try again."
    local found
    found=$(cd "$root" && rustc --version | cut -d' ' -f2)
    at_least "$found" "$rust_version" || die "Rust $found is too old: $rust_version or newer is needed. Run 'rustup update stable', then try again."
}

need_bundle() {
    need_server
    cargo_tool trunk "$trunk_version" "about 2 minutes" trunk --locked
    # Without its lock file, which names a version that has been withdrawn.
    cargo_tool wasm-bindgen "$wasm_bindgen_version" "about 1 minute" wasm-bindgen-cli
}

need_node() {
    if ! have node; then
        apt_install "Node" nodejs npm
    elif ! have npm; then
        apt_install "npm" npm
    fi
    at_least "$(node --version | tr -d v)" 18 || die "Node $(node --version) is too old: 18 or newer is needed for the browser tests. Install a newer one (https://nodejs.org), then try again."
}

need_browser() { have chromium || apt_install "Chromium" chromium; }

# Where Debian's Alertmanager reads its default templates, whatever its configuration says.
alertmanager_templates=/usr/share/prometheus/alertmanager

# Unpacked, not installed: installing them would start system services.
need_services() {
    # Certificates and the receiver of the documentation's example.
    have openssl || apt_install "OpenSSL" openssl
    have python3 || apt_install "Python" python3-minimal
    have prometheus && have promtool && have prometheus-alertmanager && have amtool && have victoria-metrics && have nginx &&
        [ -e "$alertmanager_templates/default.tmpl" ] && return 0
    have apt-get || die "prometheus, promtool, prometheus-alertmanager, amtool, victoria-metrics or nginx is missing and this is not a Debian or Ubuntu system. Put them on PATH."
    say "Fetching Prometheus, Alertmanager, VictoriaMetrics and nginx for the tests, about half a minute"
    local work packages=(prometheus prometheus-alertmanager victoria-metrics nginx)
    work=$(mktemp -d)
    chmod 755 "$work"
    (cd "$work" && { apt-get -qq download "${packages[@]}" >&2 ||
        { as_root apt-get -qq update >&2 && apt-get -qq download "${packages[@]}" >&2; }; }) ||
        die "Prometheus, Alertmanager, VictoriaMetrics and nginx could not be fetched. Check the machine's package sources, then try again."
    local package
    for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/unpacked"; done
    mkdir -p "$tools/bin"
    cp "$work"/unpacked/usr/bin/{prometheus,promtool,prometheus-alertmanager,amtool,victoria-metrics} "$work/unpacked/usr/sbin/nginx" "$tools/bin/"
    if [ ! -e "$alertmanager_templates/default.tmpl" ]; then
        as_root mkdir -p "$alertmanager_templates"
        as_root cp -rL "$work/unpacked$alertmanager_templates/." "$alertmanager_templates/"
    fi
    rm -rf "$work"
}

need_deny() {
    need_server
    cargo_tool cargo-deny "$deny_version" "about 3 minutes" cargo-deny --locked --no-default-features
}

# From PyPI, where it comes ready made; else it is built.
need_typos() {
    is_version typos "$typos_version" && return 0
    if have python3 && python3 -m pip install --quiet --upgrade --target "$tools/typos" "typos==$typos_version" >/dev/null 2>&1; then
        mkdir -p "$tools/bin"
        cp "$tools/typos/bin/typos" "$tools/bin/typos"
        is_version typos "$typos_version" && return 0
    fi
    need_server
    cargo_tool typos "$typos_version" "about 4 minutes" typos-cli --locked
}

need_fuzz() {
    need_server
    have c++ || apt_install "a C++ compiler" g++
    cargo_tool cargo-fuzz "$fuzz_version" "about a minute" cargo-fuzz --locked
}

for part in "$@"; do "need_$part"; done
