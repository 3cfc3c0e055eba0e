# shellcheck shell=bash disable=SC2154  # pins.sh sets them
# ONNX Runtime's shared library, out of the wheel of the Python package index, into vendor/.

install_onnxruntime() {
    local arch wanted target=vendor/onnxruntime library wheel
    library="libonnxruntime.so.$onnxruntime_version"
    arch=$(uname -m)
    case "$arch" in
    x86_64) wanted=$onnxruntime_sha256_x86_64 ;;
    aarch64 | arm64) arch=aarch64 wanted=$onnxruntime_sha256_aarch64 ;;
    *) fail "no ONNX Runtime library is known for $arch: build onnxruntime $onnxruntime_version yourself and name its library in ORT_DYLIB_PATH" ;;
    esac
    if [ -s "$target/lib/$library" ] && [ -e "$target/lib/libonnxruntime.so" ] &&
        [ "$(cat "$target/wheel.sha256" 2>/dev/null)" = "$wanted" ]; then
        say "ONNX Runtime $onnxruntime_version: there"
        return
    fi

    say "ONNX Runtime $onnxruntime_version: fetching the wheel for $arch (about 28 MB)"
    make_scratch
    .venv/bin/python -m pip download --quiet --disable-pip-version-check --no-input \
        --no-deps --only-binary=:all: --implementation cp --python-version 3.11 \
        --platform "manylinux_2_28_$arch" --dest "$scratch" "onnxruntime==$onnxruntime_version" ||
        fail "ONNX Runtime could not be fetched: check the network (pip's own proxy and index settings are honoured), then run this again"
    wheel=$(find "$scratch" -name 'onnxruntime-*.whl')
    has_sha256 "$wheel" "$wanted" ||
        fail "the ONNX Runtime wheel is not the one that deploy/setup/pins.sh names: do not use it, and check which package index pip asks"
    unpack_onnxruntime "$wheel" "$scratch/onnxruntime" "$library" ||
        fail "the ONNX Runtime wheel could not be unpacked: is the disk full?"
    printf '%s\n' "$wanted" >"$scratch/onnxruntime/wheel.sha256"
    # Last, and whole: an interrupted set-up leaves no half library behind.
    rm -rf "$target"
    mv "$scratch/onnxruntime" "$target"
}

unpack_onnxruntime() {
    local wheel=$1 into=$2 library=$3
    mkdir -p "$into/lib"
    .venv/bin/python - "$wheel" "$into" "$library" <<'PYTHON' || return 1
import os, pathlib, sys, zipfile

wheel, into, library = zipfile.ZipFile(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
with open(into / "lib" / library, "wb") as file:
    file.write(wheel.read(f"onnxruntime/capi/{library}"))
    file.flush()
    os.fsync(file.fileno())
    # Out of the page cache: whatever is there gets mapped around each page that is used, 12 MB more until the next boot.
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
for notice in ("LICENSE", "ThirdPartyNotices.txt"):
    (into / notice).write_bytes(wheel.read(f"onnxruntime/{notice}"))
PYTHON
    ln -s "$library" "$into/lib/libonnxruntime.so"
}
