#!/usr/bin/env bash
# Runs a command (cargo, trunk) with a compiler that has the wasm32-unknown-unknown target; without a
# command, only makes sure that there is one.
#
# The default toolchain is used if it has the target or if rustup can fetch it, which is all that happens on
# most machines. Where rustup's servers cannot be reached, Debian's packages carry a compiler and the source of
# its standard library: the library is built once and put where that compiler looks for it.
# Only the browser's code needs this; the server, its tests and its lints use the default toolchain.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

target=wasm32-unknown-unknown
# The name under which rustup knows Debian's compiler.
linked=hyperscope-wasm
debian_lib=/usr/lib/rustlib/$target/lib

# has_std RUSTC: whether that compiler's standard library for the target is installed.
has_std() {
    local dir
    dir=$("$@" --print target-libdir --target "$target" 2>/dev/null) || return 1
    compgen -G "$dir/libstd-*.rlib" >/dev/null
}

# Whether the library in Debian's place was built by the compiler that is installed now.
debian_ready() {
    [ -x /usr/bin/rustc ] && has_std /usr/bin/rustc &&
        [ "$(cat "$debian_lib/.built-by" 2>/dev/null)" = "$(/usr/bin/rustc --version)" ] && have wasm-ld-19
}

build_debian_std() {
    say "Building the standard library for $target once, about a minute"
    local work built
    work=$(mktemp -d)
    mkdir "$work/src"
    printf '[package]\nname = "std-for-wasm"\nedition = "2021"\n[lib]\ncrate-type = ["cdylib"]\n' >"$work/Cargo.toml"
    : >"$work/src/lib.rs"
    # With bitcode: `lto = true` needs it.
    if ! (cd "$work" && env -u RUSTUP_TOOLCHAIN PATH="/usr/bin:$PATH" RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes \
        CARGO_TARGET_DIR="$work/target" CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19 \
        /usr/bin/cargo build --quiet --release -Zbuild-std=std,panic_abort --target "$target" >&2); then
        rm -rf "$work"
        die "the standard library for $target could not be built. Install a toolchain that has the target ('rustup target add $target') and try again."
    fi
    built=$work/target/$target/release/deps
    as_root rm -rf "$debian_lib"
    as_root mkdir -p "$debian_lib"
    as_root cp "$built"/*.rlib "$debian_lib/"
    /usr/bin/rustc --version | as_root tee "$debian_lib/.built-by" >/dev/null
    rm -rf "$work"
    # What an older library compiled would be refused with "can't find crate".
    rm -rf "$root/target/wasm"
}

use_debian() {
    export RUSTUP_TOOLCHAIN=$linked CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19
}

link_debian() {
    rustup toolchain list 2>/dev/null | grep -q "^$linked\b" || rustup toolchain link "$linked" /usr >&2
}

if has_std rustc; then
    :
elif debian_ready; then
    link_debian
    use_debian
elif ! have rustup; then
    die "no Rust toolchain with $target found. Install rustup (https://rustup.rs), then try again."
elif say "Adding $target to the Rust toolchain, a few seconds" && timeout 90 rustup target add "$target" >&2 && has_std rustc; then
    :
else
    say "rustup could not fetch $target; using the distribution's compiler for the browser's code instead"
    have apt-get || die "the Rust target $target is missing. Run 'rustup target add $target' with a network that reaches rustup's servers."
    apt_install "a compiler for $target" rustc-web cargo-web rust-web-src rust-web-clippy lld-19
    debian_ready || build_debian_std
    debian_ready || die "the distribution's compiler did not get $target. Run 'rustup target add $target' with a network that reaches rustup's servers."
    link_debian
    use_debian
fi

[ $# = 0 ] || exec "$@"
