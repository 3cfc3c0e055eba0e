#!/usr/bin/env bash
# Prepares a machine to build, test and demonstrate Lares.
#
# Each step looks first whether it is done, so a second run only checks, in about a second.
# A step that cannot be done ends the script with one sentence that says what to do.
# Usage: deploy/setup/setup.sh   (or: make setup)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
export root

# shellcheck source=deploy/setup/common.sh
source "$here/common.sh"
# shellcheck source=deploy/setup/pins.sh
source "$here/pins.sh"
# shellcheck source=deploy/setup/system.sh
source "$here/system.sh"
# shellcheck source=deploy/setup/versions.sh
source "$here/versions.sh"
# shellcheck source=deploy/setup/python.sh
source "$here/python.sh"
# shellcheck source=deploy/setup/onnxruntime.sh
source "$here/onnxruntime.sh"
# shellcheck source=deploy/setup/vtest.sh
source "$here/vtest.sh"

cd "$root"
install_system_packages
check_rust
check_gstreamer
install_python_environment
install_onnxruntime
install_vtest
say "ready"
