# shellcheck shell=bash disable=SC2154  # pins.sh sets them
# Versions that the set-up does not install by itself but must find.

check_rust() {
    local found
    if ! have cargo || ! have rustc; then
        fail "Rust $min_rust or newer is needed and was not found: install it from https://rustup.rs, then open a new shell"
    fi
    found=$(rustc --version | awk '{print $2}')
    version_at_least "${found%%-*}" "$min_rust" ||
        fail "Rust $min_rust or newer is needed and this is $found: run 'rustup update stable' (rustup: https://rustup.rs)"
    say "Rust $found"
}

check_gstreamer() {
    local found
    found=$(pkg-config --modversion gstreamer-1.0 2>/dev/null) ||
        fail "GStreamer's headers were not found by pkg-config: install libgstreamer1.0-dev and check PKG_CONFIG_PATH"
    version_at_least "$found" "$min_gstreamer" ||
        fail "GStreamer $min_gstreamer or newer is needed and this is $found: use Debian 12, Ubuntu 24.04 or newer"
    say "GStreamer $found"
}
