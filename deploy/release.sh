#!/usr/bin/env bash
# A release is one tag. Usage: deploy/release.sh check|notes vVERSION   (or: make release-check, make release-notes)
#   check   fails unless the tag, Cargo.toml and CHANGELOG.md name the same version
#   notes   prints the changelog's section of that version
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/setup/common.sh
source deploy/setup/common.sh

[ $# = 2 ] || fail "usage: deploy/release.sh check|notes vVERSION"
version=${2#v}
[ "v$version" = "$2" ] || fail "the tag $2 does not begin with v: write it like v0.2.0"

# The section of the version, without its heading.
notes() {
    awk -v version="$version" '
        /^## / { inside = ($2 == "[" version "]" && $4 ~ /^[0-9]/); next }
        inside { print }
    ' CHANGELOG.md
}

case $1 in
check)
    made=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    [ "$made" = "$version" ] || fail "Cargo.toml says $made, the tag $2: correct one of them"
    [ -n "$(notes | tr -d '[:space:]')" ] || fail "CHANGELOG.md has no section \"## [$version] - YEAR-MONTH-DAY\": cut it from Unreleased"
    say "tag, Cargo.toml and CHANGELOG.md agree on $version"
    ;;
notes)
    notes
    ;;
*)
    fail "\"$1\" is unknown: write check or notes"
    ;;
esac
