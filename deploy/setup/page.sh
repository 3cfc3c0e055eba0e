#!/usr/bin/env bash
# Builds the hub's page out of ui/ into ui/dist, where the program takes it from. Skips what is done.
#
# Without Node.js the program is built without its page, and the page says so.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
export root
# shellcheck source=deploy/setup/common.sh
source "$here/common.sh"
# shellcheck source=deploy/setup/pins.sh
source "$here/pins.sh"

cd "$root/ui"
mark=dist/.made-from
sources=$(find . -type f -not -path './node_modules/*' -not -path './dist/*' -not -path './dist-test/*' -print0 | sort -z | xargs -0 sha256sum | sha256sum)
if [ -f "$mark" ] && [ "$(cat "$mark")" = "$sources" ]; then exit 0; fi

if ! have node || ! have npm; then
    say "page: Node.js and npm were not found, so the program is built without its page (apt install nodejs npm)"
    exit 0
fi
# shellcheck disable=SC2154  # pins.sh sets it
version_at_least "$(node --version | tr -d v)" "$min_node" ||
    fail "the page needs Node.js $min_node or newer and this is $(node --version): install a newer one"
npm ci --silent --no-audit --no-fund
npm run --silent build
echo "$sources" >"$mark"
# Cargo does not watch the folder.
touch "$root/crates/hub/src/pages/ui.rs"
say "page: built"
