# shellcheck shell=bash disable=SC2154  # pins.sh sets them
# vtest.avi, the surveillance scene that the samples are made from, out of the package opencv-doc.

install_vtest() {
    local target=samples/cache/vtest.avi inside=usr/share/doc/opencv-doc/examples/data/vtest.avi
    if has_sha256 "$target" "$vtest_sha256"; then
        say "vtest.avi: there"
        return
    fi
    have apt-get ||
        fail "vtest.avi comes from Debian's package opencv-doc: copy its file /$inside to $target, then run this again"
    say "vtest.avi: fetching it in the package opencv-doc (about 96 MB)"
    make_scratch
    # Downloading needs no root, unless the package lists are missing or old.
    fetch_opencv_doc || {
        apt_get update || true
        fetch_opencv_doc
    } || fail "the package opencv-doc could not be fetched: check the network; on Ubuntu the 'universe' part of the archive must be enabled"
    dpkg-deb --fsys-tarfile "$scratch"/opencv-doc_*.deb | tar -x -C "$scratch" "./$inside" ||
        fail "the package opencv-doc could not be unpacked: is the disk full?"
    has_sha256 "$scratch/$inside" "$vtest_sha256" ||
        fail "vtest.avi of this opencv-doc is not the one that deploy/setup/pins.sh names: copy the known file to $target"
    mkdir -p samples/cache
    mv "$scratch/$inside" "$target"
}

fetch_opencv_doc() {
    (cd "$scratch" && apt-get -qq download opencv-doc) 2>"$scratch/apt.log"
}
