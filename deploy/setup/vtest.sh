# shellcheck shell=bash disable=SC2154  # pins.sh sets them
# vtest.avi, the surveillance scene that the samples are made from, out of the package opencv-doc.

install_vtest() {
    local target=samples/cache/vtest.avi cache inside=usr/share/doc/opencv-doc/examples/data/vtest.avi
    if has_sha256 "$target" "$vtest_sha256"; then
        say "vtest.avi: there"
        return
    fi
    have apt-get || fail "vtest.avi comes from Debian's package opencv-doc: copy its file /$inside to $target, then run this again"
    say "vtest.avi: fetching it in the package opencv-doc (about 96 MB)"
    mkdir -p samples/cache
    cache=$(mktemp -d samples/cache/fetch.XXXXXX)
    # Downloading needs no root, unless the package lists are missing or old.
    if ! fetch_opencv_doc "$cache"; then
        apt_get update || true
        fetch_opencv_doc "$cache" || {
            rm -rf "$cache"
            fail "the package opencv-doc could not be fetched: check the network; on Ubuntu the 'universe' part of the archive must be enabled"
        }
    fi
    dpkg-deb --fsys-tarfile "$cache"/opencv-doc_*.deb | tar -x -C "$cache" "./$inside" || {
        rm -rf "$cache"
        fail "the package opencv-doc could not be unpacked: is the disk full?"
    }
    has_sha256 "$cache/$inside" "$vtest_sha256" || {
        rm -rf "$cache"
        fail "vtest.avi of this opencv-doc is not the one that deploy/setup/pins.sh names: copy the known file to $target"
    }
    mv "$cache/$inside" "$target"
    rm -rf "$cache"
}

fetch_opencv_doc() {
    (cd "$1" && apt-get -qq download opencv-doc) 2>"$1/apt.log"
}
