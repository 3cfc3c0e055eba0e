"""Makes the idle and the busy scene at 1920x1080, for `make bench-peers`.

They cost four times the pixels of what `make samples` makes and no test needs them, so they are made apart.
"""

import os
import subprocess
from pathlib import Path

# Before numpy is loaded: its threads would only wait for each other over such small matrices.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from encode import MP4, NOISE, Encoder, ffmpeg, h264, repeat, require_encoders
from recipes import is_made, produce, recipe_hash
from scene import FPS, median_background, planes, read_frames

SAMPLES = Path(__file__).resolve().parent.parent
VIDEO, VTEST = SAMPLES / "video", SAMPLES / "cache" / "vtest.avi"

SCALE = "scale=1920:1080:flags=bicubic"
KBIT = 4000
IDLE_LOOP_SECONDS, IDLE_LOOPS = 20, 6


def busy(target: Path) -> None:
    ffmpeg("-i", VTEST, "-vf", SCALE, *h264(KBIT), *MP4, target)


def idle(target: Path) -> None:
    """The noise comes after the scaling: a large sensor's pixels are as noisy as a small one's."""
    loop = target.with_suffix(".loop")
    picture = planes(median_background(read_frames(VTEST)))
    with Encoder(["-vf", f"{SCALE},{NOISE}", *h264(KBIT), *MP4, loop]) as encoder:
        for _ in range(IDLE_LOOP_SECONDS * FPS):
            encoder.write(picture)
    repeat(loop, IDLE_LOOPS, target)
    loop.unlink()


VIDEOS = {"vtest-1080p.mp4": busy, "idle-1080p.mp4": idle}


def main() -> None:
    recipe = recipe_hash("hd")
    if all(is_made(VIDEO, [name], recipe) for name in VIDEOS):
        return
    if not VTEST.exists():
        raise SystemExit(f"samples: {VTEST} is missing: run `make setup`")
    require_encoders("libx264")
    for name, make in VIDEOS.items():
        produce(VIDEO, [name], recipe, make)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        raise SystemExit(
            f"samples: ffmpeg failed (status {error.returncode}), see its message above; "
            "is the disk full?"
        )
