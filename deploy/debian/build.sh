#!/usr/bin/env bash
# Packs the program, ONNX Runtime, models and the systemd unit into one Debian package for this machine's architecture.
#
# The same inputs give the same file, bit by bit: times come from SOURCE_DATE_EPOCH (else from the last commit), owners
# are fixed, nothing of the machine goes in. What the package depends on is read from the program by dpkg-shlibdeps.
# Usage: deploy/debian/build.sh [PROGRAM [FOLDER]]   (or: make deb); default: target/release/lares, target/debian
# PROGRAM is built with --no-default-features: a box needs neither virtual cameras nor the crash test's hook.
# COMPRESS=xz, or none for a quick look.
set -euo pipefail
umask 022

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=deploy/setup/common.sh
source "$here/../setup/common.sh"
# shellcheck source=deploy/setup/pins.sh
source "$here/../setup/pins.sh"
cd "$root"

program=${1:-target/release/lares}
folder=${2:-target/debian}
# shellcheck disable=SC2154  # pins.sh sets it
library=vendor/onnxruntime/lib/libonnxruntime.so.$onnxruntime_version

for tool in dpkg-deb dpkg-shlibdeps python3; do
    have "$tool" || fail "$tool is needed for a package: apt install dpkg-dev python3"
done
[ -x "$program" ] || fail "there is no program at $program: make packaged"
if ldd "$program" | grep -q libgstrtspserver; then
    fail "$program has developers' commands: cargo build --release --locked --no-default-features"
fi
[ -s "$library" ] || fail "there is no ONNX Runtime $onnxruntime_version in vendor/: make setup"

# Before a release, versions count by commit: 0.1.0~git20260102030405.abcdef0 comes before 0.1.0.
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
if git rev-parse --quiet --verify HEAD >/dev/null 2>&1; then
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
    if [ "$(git describe --tags --exact-match 2>/dev/null)" != "v$version" ]; then
        version+="~git$(TZ=UTC git log -1 --date=format-local:%Y%m%d%H%M%S --format=%cd).$(git rev-parse --short=7 HEAD)"
    fi
fi
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(stat -c %Y CHANGELOG.md)}
version=${VERSION:-$version}
arch=$(dpkg --print-architecture)

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
tree=$stage/tree
control=$tree/DEBIAN

put() { # put MODE SOURCE TARGET: TARGET inside the package
    install -D -m "$1" "$2" "$tree$3"
}

# The sample with the places of this package switched on.
packaged_configuration() {
    sed -e 's|^#data_dir = "/var/lib/lares"$|data_dir = "/var/lib/lares"|' \
        -e 's|^#dir = "/usr/share/lares/models"$|dir = "/usr/share/lares/models"|' \
        -e 's|^#onnxruntime = "/usr/lib/lares/libonnxruntime.so"$|onnxruntime = "/usr/lib/lares/libonnxruntime.so"|' \
        deploy/lares.sample.toml >"$stage/lares.toml"
    for key in data_dir dir onnxruntime; do
        grep -q "^$key = \"/" "$stage/lares.toml" || fail "deploy/lares.sample.toml no longer shows $key as the package needs it"
    done
}

# What is compiled into the program, one crate a line. Cargo may have to fetch what only tests need, to tell it apart.
crates() {
    cargo metadata --locked --no-default-features --format-version 1 --filter-platform "$(rustc -vV | sed -n 's/^host: //p')" |
        python3 -c '
import json, sys
metadata = json.load(sys.stdin)
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
used, left = set(), [metadata["resolve"]["root"]]
while left:
    if (id := left.pop()) not in used:
        used.add(id)
        left += [dep["pkg"] for dep in nodes[id]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
for p in sorted(metadata["packages"], key=lambda p: (p["name"], p["version"])):
    if p["id"] in used and p["source"]:
        print(p["name"], p["version"], p["license"] or p["license_file"], sep="\t")
'
}

put 755 "$program" /usr/bin/lares
put 644 "$library" /usr/lib/lares/libonnxruntime.so
for model in models/*.onnx models/*.toml; do put 644 "$model" "/usr/share/lares/models/${model##*/}"; done
put 644 deploy/lares.service /lib/systemd/system/lares.service
packaged_configuration
put 640 "$stage/lares.toml" /etc/lares/lares.toml

doc=/usr/share/doc/lares
put 644 deploy/debian/copyright $doc/copyright
put 644 vendor/onnxruntime/ThirdPartyNotices.txt $doc/onnxruntime-notices.txt
put 644 models/README.md $doc/models.md
put 644 README.md $doc/README.md
for page in docs/*.md; do put 644 "$page" "$doc/${page##*/}"; done
for dropin in deploy/systemd/*.conf; do put 644 "$dropin" "$doc/examples/systemd/${dropin##*/}"; done
put 644 deploy/grafana/lares.json $doc/examples/grafana/lares.json
put 644 deploy/lares.sample.toml $doc/examples/lares.sample.toml
crates >"$stage/crates.txt" || fail "cargo could not tell what the program is made of: make build"
put 644 "$stage/crates.txt" $doc/crates.txt
put 644 CHANGELOG.md $doc/changelog
printf 'lares (%s) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- The Lares contributors <lares@localhost>  %s\n' \
    "$version" "$(date -R -u -d "@$SOURCE_DATE_EPOCH")" >"$tree$doc/changelog.Debian"
gzip -9n "$tree$doc/changelog" "$tree$doc/changelog.Debian" "$tree$doc/onnxruntime-notices.txt" "$tree$doc/crates.txt"
put 644 deploy/debian/lintian-overrides /usr/share/lintian/overrides/lares
chmod 750 "$tree/etc/lares"

# dpkg-shlibdeps looks for debian/control where it stands.
mkdir -p "$stage/shlibs/debian"
printf 'Source: lares\n\nPackage: lares\nArchitecture: any\n' >"$stage/shlibs/debian/control"
depends=$(cd "$stage/shlibs" && dpkg-shlibdeps -O -xlares "$tree/usr/bin/lares" "$tree/usr/lib/lares/libonnxruntime.so" 2>"$stage/shlibs.log" |
    sed -n 's/^shlibs:Depends=//p') || fail "dpkg-shlibdeps could not tell what the program needs: $(cat "$stage/shlibs.log")"

install -d -m 755 "$control"
for script in postinst prerm postrm; do install -m 755 "$here/$script" "$control/$script"; done
echo /etc/lares/lares.toml >"$control/conffiles"
size=$(du -k -s --apparent-size "$tree/usr" "$tree/etc" "$tree/lib" | awk '{sum += $1} END {print sum}')
sed -e "s|@version@|$version|" -e "s|@arch@|$arch|" -e "s|@size@|$size|" -e "s|@shlibs@|$depends|" \
    "$here/control.in" >"$control/control"
(cd "$tree" && find usr lib -type f -print0 | sort -z | xargs -0 md5sum) >"$control/md5sums"
chmod 644 "$control/conffiles" "$control/control" "$control/md5sums"

find "$tree" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$folder"
package=$folder/lares_${version}_$arch.deb
dpkg-deb --root-owner-group --uniform-compression -Z"${COMPRESS:-xz}" --build "$tree" "$package" >/dev/null
say "package: $package"
