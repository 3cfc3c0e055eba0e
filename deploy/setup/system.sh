# shellcheck shell=bash
# System packages: compiler, GStreamer with plug-ins and headers, mosquitto, ffmpeg, strace, Python; Node.js and
# Chromium for the hub's page, nginx and Caddy for the tests of the page behind them.

debian_packages=(
    build-essential pkg-config ca-certificates
    libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libgstrtspserver-1.0-dev
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
    gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-rtsp gstreamer1.0-tools
    glib-networking # TLS of the virtual cameras
    mosquitto mosquitto-clients nginx-light caddy curl faketime ffmpeg openssl strace
)

# Prints, one a line, the Debian packages that this machine lacks.
missing_debian_packages() {
    local installed package
    installed=$(dpkg-query -W -f='${binary:Package} ${db:Status-Status}\n' 2>/dev/null |
        sed -n 's/^\([^: ]*\)[^ ]* installed$/\1/p')
    for package in "${debian_packages[@]}"; do
        grep -qxF "$package" <<<"$installed" || echo "$package"
    done
    # Any python3 that can make virtual environments will do, Debian's or not.
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    # Any Node.js too; a browser only where it is a package: on Ubuntu it is a snap, and the page's test is skipped.
    { have node && have npm; } || printf '%s\n' nodejs npm
    if grep -qx 'ID=debian' /etc/os-release; then have chromium || echo chromium; fi
}

# Prints, one a line, what a system other than Debian lacks.
missing_tools() {
    local tool module
    for tool in cc pkg-config mosquitto mosquitto_sub ffmpeg ffprobe openssl python3; do
        have "$tool" || echo "$tool"
    done
    have pkg-config || return 0
    for module in gstreamer-1.0 gstreamer-app-1.0 gstreamer-video-1.0 gstreamer-rtsp-server-1.0; do
        pkg-config --exists "$module" || echo "$module"
    done
}

# Debian's packages of mosquitto, nginx and Caddy start a service and enable it at boot. Lares and its tests run such
# programs as child processes, so a machine that had none is left with none: the unit is masked in
# /run (which a reboot clears, should we be interrupted) while the package is configured, then
# disabled. A service that was installed before is never touched.
hold_service() {
    systemd_runs || return 0
    as_root systemctl mask --runtime --quiet "$1.service" ||
        say "the service of $1 could not be held back: it may run for a moment"
}

release_service() {
    if systemd_runs; then
        { as_root systemctl unmask --runtime --quiet "$1.service" &&
            as_root systemctl disable --now --quiet "$1.service"; } ||
            say "the service of $1 is not needed: 'systemctl disable --now $1' removes it from boot"
    else
        as_root service "$1" stop >/dev/null 2>&1 || true
    fi
}

systemd_runs() { [ -d /run/systemd/system ]; }

install_debian_packages() {
    local missing service new_services=() status=0
    mapfile -t missing < <(missing_debian_packages)
    if [ ${#missing[@]} = 0 ]; then
        say "system packages: all there"
        return
    fi
    say "system packages to install with apt: ${missing[*]}"
    is_root || have sudo ||
        fail "that needs root rights and sudo is not installed: run as root: apt-get install ${missing[*]}"
    case " ${missing[*]} " in *" mosquitto "*) new_services+=(mosquitto) ;; esac
    case " ${missing[*]} " in *" nginx-light "*) new_services+=(nginx) ;; esac
    case " ${missing[*]} " in *" caddy "*) new_services+=(caddy) ;; esac
    apt_get update || fail "apt-get update failed: check the network and /etc/apt, then run this again"
    for service in "${new_services[@]}"; do hold_service "$service"; done
    apt_get install -y --no-install-recommends "${missing[@]}" || status=$?
    for service in "${new_services[@]}"; do release_service "$service"; done
    [ $status = 0 ] ||
        fail "apt could not install the packages: see its message above; on Ubuntu the 'universe' part of the archive must be enabled"
    mapfile -t missing < <(missing_debian_packages)
    [ ${#missing[@]} = 0 ] || fail "still missing after the installation: ${missing[*]}"
}

# Names the packages of a system that this script does not install by itself.
advice_for_other_systems() {
    case "$1" in
    *fedora* | *rhel*)
        echo "sudo dnf install gcc pkgconf mosquitto ffmpeg openssl python3 gstreamer1-devel gstreamer1-plugins-base-devel gstreamer1-rtsp-server-devel gstreamer1-plugins-{base,good,bad-free,ugly-free} gstreamer1-plugin-libav glib-networking (ffmpeg and libav from RPM Fusion)"
        ;;
    *arch*)
        echo "sudo pacman -S base-devel mosquitto ffmpeg openssl python gstreamer gst-plugins-{base,good,bad,ugly} gst-libav gst-rtsp-server glib-networking"
        ;;
    *darwin*)
        echo "brew install pkgconf mosquitto ffmpeg openssl python gstreamer; Lares itself is only tested on Linux"
        ;;
    *)
        echo "a C compiler, pkg-config, mosquitto, ffmpeg, openssl, Python 3 with venv, GStreamer >= 1.22 with headers, its RTSP server library, plug-ins base, good, bad, ugly, libav, and glib-networking"
        ;;
    esac
}

install_system_packages() {
    local system missing
    if have apt-get && have dpkg-query; then
        install_debian_packages
        return
    fi
    system=$(uname -s | tr '[:upper:]' '[:lower:]')
    if [ -r /etc/os-release ]; then
        system="$system $(sed -n 's/^ID\(_LIKE\)\?=//p' /etc/os-release | tr -d '"' | tr '\n' ' ')"
    fi
    mapfile -t missing < <(missing_tools)
    if [ ${#missing[@]} != 0 ]; then
        fail "missing here: ${missing[*]}. This set-up installs packages on Debian and Ubuntu only; install: $(advice_for_other_systems "$system")"
    fi
    say "system packages: all there"
}
