"""When is a made video still good? While it is there and its recipe is the same to the letter."""

import hashlib
import re
import subprocess
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def modules(*names: str) -> set[str]:
    """Those modules of the recipe and all that they import, directly or not."""
    found, waiting = set(), set(names)
    while waiting:
        name = waiting.pop()
        found.add(name)
        imports = re.findall(r"^(?:from|import) (\w+)", (FOLDER / f"{name}.py").read_text(), re.M)
        waiting |= {other for other in imports if (FOLDER / f"{other}.py").exists()} - found
    return found


def recipe_hash(*names: str, settings: str = "") -> str:
    """Changes when a line of those modules does, or of one that they use, or the settings do."""
    digest = hashlib.sha256(settings.encode())
    digest.update((FOLDER / "requirements.txt").read_bytes())
    for name in sorted(modules(*names)):
        digest.update((FOLDER / f"{name}.py").read_bytes())
    return digest.hexdigest()


def is_made(folder: Path, names, recipe: str) -> bool:
    stamp = _stamp(folder, names)
    return (
        stamp.exists()
        and stamp.read_text() == recipe
        and all((folder / name).exists() for name in names)
    )


def produce(folder: Path, names, recipe: str, make) -> bool:
    """Calls `make` with temporary paths and renames them when whole. False: all there already."""
    if is_made(folder, names, recipe):
        return False
    stamp = _stamp(folder, names)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    started = time.monotonic()
    parts = [folder / f".part-{name}" for name in names]
    make(*parts)
    for part, name in zip(parts, names):
        part.replace(folder / name)
    stamp.write_text(recipe)
    size = sum((folder / name).stat().st_size for name in names)
    took = time.monotonic() - started
    print(f"samples: {', '.join(names)}: {took:.0f} s, {size / 1e6:.1f} MB", flush=True)
    return True


def _stamp(folder: Path, names) -> Path:
    return folder / ".stamps" / names[0]


def run(main) -> None:
    """Calls `main`; says in one sentence when an encoder failed."""
    try:
        main()
    except subprocess.CalledProcessError as error:
        raise SystemExit(
            f"samples: ffmpeg failed (status {error.returncode}), see its message above; "
            "is the disk full?"
        )
