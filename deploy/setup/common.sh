# shellcheck shell=bash
# What every set-up step uses: one way to speak, one way to stop, one way to trust a file.

say() { printf 'setup: %s\n' "$*"; }

# Ends the set-up. The text is one sentence about what is wrong and what to do.
fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# has_sha256 FILE DIGEST: true when FILE exists with that content.
has_sha256() {
    [ -f "$1" ] && printf '%s  %s\n' "$2" "$1" | sha256sum --check --status
}

# version_at_least HAVE WANT, for dotted numbers.
version_at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

is_root() { [ "$(id -u)" = 0 ]; }

# as_root COMMAND...: runs it as root, by sudo where we are not.
as_root() {
    if is_root; then "$@"; else sudo "$@"; fi
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l \
        apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -qq "$@" </dev/null
}

# make_scratch: sets $scratch to an empty folder, on the checkout's own disk so that what was made
# there can be moved into place in one step. It is removed when the set-up ends, however it ends.
scratch=
make_scratch() {
    [ -z "$scratch" ] || return 0
    mkdir -p vendor
    scratch=$(mktemp -d "$PWD/vendor/.setup.XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
}
