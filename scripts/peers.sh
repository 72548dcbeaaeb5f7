#!/usr/bin/env bash
# Builds the current releases of the programs that the tests compare with, from their Go modules, and links them into target/peers/bin under
# the names that tests use. Built programs stay in ~/.cache/hyperscope/peers and are reused.
#   peers.sh [NAME...]   of prometheus, alertmanager, victoria-metrics, mimir; all of them if none is named
# Each folder below peers/ pins one: go.mod names the release, go.sum its dependencies. Go ignores the `replace` lines of a dependency's
# go.mod, so the required ones are repeated here.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$root"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/hyperscope/peers
bin=$root/target/peers/bin
# Free space that a build needs, in MB.
needed_mb=8192

# programs NAME: what a peer is made of, each as PACKAGE:NAME-FOR-TESTS.
programs() {
    case $1 in
    prometheus) echo github.com/prometheus/prometheus/cmd/prometheus:prometheus github.com/prometheus/prometheus/cmd/promtool:promtool ;;
    alertmanager) echo github.com/prometheus/alertmanager/cmd/alertmanager:prometheus-alertmanager github.com/prometheus/alertmanager/cmd/amtool:amtool ;;
    victoria-metrics) echo github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics:victoria-metrics ;;
    mimir) echo github.com/grafana/mimir/cmd/mimir:mimir ;;
    *) die "There is no peer '$1'. There are: $(ls peers | tr '\n' ' ')" ;;
    esac
}

# version_flag NAME VERSION: the linker flag that sets the version which `--version` prints.
version_flag() {
    case $1 in
    # Prometheus 3.16.0 is version 0.316.0 of its module.
    prometheus) echo "-X github.com/prometheus/common/version.Version=$(sed 's/^v0\.\([0-9]*\)\([0-9][0-9]\)\./\1.\2./' <<<"$2")" ;;
    alertmanager) echo "-X github.com/prometheus/common/version.Version=${2#v}" ;;
    victoria-metrics) echo "-X github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version=victoria-metrics-$2" ;;
    mimir) echo "-X github.com/grafana/mimir/pkg/util/version.Version=${2#v}" ;;
    esac
}

# build NAME: builds the programs of one peer, with temporary caches.
build() {
    local name=$1 module version kept work program package
    program=$(programs "$name" | cut -d' ' -f1)
    module=$(cut -d/ -f1-3 <<<"$program")
    version=$(sed -n "s#^\s*$module \(v[^ ]*\).*#\1#p" "peers/$name/go.mod" | head -n 1)
    [ -n "$version" ] || die "peers/$name/go.mod names no version of $module."
    kept=$cache/$name@$version
    if [ ! -e "$kept/done" ]; then
        need_go
        local free_mb
        mkdir -p "$kept"
        free_mb=$(df -Pm "$kept" | awk 'NR == 2 { print $4 }')
        [ "$free_mb" -ge "$needed_mb" ] || die "Building $name needs $needed_mb MB of free space in $cache, and $free_mb MB are free."
        say "Building $name $version once, up to 5 minutes on two cores"
        work=$(mktemp -d)
        for program in $(programs "$name"); do
            package=${program%:*}
            (cd "peers/$name" && GOFLAGS=-mod=readonly GOTOOLCHAIN=local GOMODCACHE=$work/modules GOCACHE=$work/built CGO_ENABLED=0 \
                go build -trimpath -ldflags "-s -w $(version_flag "$name" "$version")" -o "$kept/${program#*:}" "$package" >&2) ||
                die "$name $version could not be built. See what Go says above; peers/$name/go.mod pins it."
        done
        # Go makes its module cache read-only.
        chmod -R u+w "$work" && rm -rf "$work"
        touch "$kept/done"
    fi
    for program in $(programs "$name"); do ln -sf "$kept/${program#*:}" "$bin/${program#*:}"; done
}

mkdir -p "$bin"
[ $# -gt 0 ] || set -- $(ls peers)
for name in "$@"; do build "$name"; done
