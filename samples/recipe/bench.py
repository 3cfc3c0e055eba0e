"""Makes scenes that only benchmarks need, for `make bench-peers` and `make bench-load`.

The idle and the busy scene at 1920x1080; the idle one at 640x360, and with rare keyframes; ten minutes at 640x360 on which
nothing happens, and then people. No test needs them, so they are made apart from the others.
"""

import os
from pathlib import Path

# Before numpy is loaded: its threads would only wait for each other over such small matrices.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from encode import MP4, NOISE, Encoder, ffmpeg, h264, repeat, require_encoders
from recipes import is_made, produce, recipe_hash, run
from scene import FPS, median_background, planes, read_frames

SAMPLES = Path(__file__).resolve().parent.parent
VIDEO, VTEST = SAMPLES / "video", SAMPLES / "cache" / "vtest.avi"

IDLE_LOOP_SECONDS, IDLE_LOOPS = 20, 6
STILL_MINUTES, BUSY_SECONDS = 10, 40


def scale(size: str) -> str:
    return f"scale={size}:flags=bicubic"


def busy(target: Path) -> None:
    ffmpeg("-i", VTEST, "-vf", scale("1920:1080"), *h264(4000), *MP4, target)


def idle(target: Path, filters: list[str], encoder: list[str], loops: int = IDLE_LOOPS) -> None:
    """The noise comes after the scaling: a large sensor's pixels are as noisy as a small one's."""
    loop = target.with_suffix(".loop")
    picture = planes(median_background(read_frames(VTEST)))
    with Encoder(["-vf", ",".join([*filters, NOISE]), *encoder, *MP4, loop]) as running:
        for _ in range(IDLE_LOOP_SECONDS * FPS):
            running.write(picture)
    repeat(loop, loops, target)
    loop.unlink()


def large_idle(target: Path) -> None:
    idle(target, [scale("1920:1080")], h264(4000))


def small_idle(target: Path) -> None:
    idle(target, [scale("640:360")], h264(500))


def rare_keyframes(target: Path) -> None:
    idle(target, [], h264(1200, keyframe_s=10))


def waking(target: Path) -> None:
    """Both parts are encoded in one go, as a camera would, so that nothing but people tells where the second begins."""
    still = target.with_suffix(".still")
    idle(still, [scale("640:360")], h264(500), loops=STILL_MINUTES * 60 // IDLE_LOOP_SECONDS)
    people = f"[1:v]fps={FPS},trim=duration={BUSY_SECONDS},{scale('640:360')},{NOISE},setsar=1[people]"
    joined = f"[0:v]setsar=1[still];{people};[still][people]concat"
    ffmpeg("-f", "mp4", "-i", still, "-i", VTEST, "-filter_complex", joined, *h264(500), *MP4, target)
    still.unlink()


VIDEOS = {
    "vtest-1080p.mp4": busy,
    "idle-1080p.mp4": large_idle,
    "idle-360p.mp4": small_idle,
    "idle-rare.mp4": rare_keyframes,
    "waking.mp4": waking,
}


def main() -> None:
    recipe = recipe_hash("bench")
    if all(is_made(VIDEO, [name], recipe) for name in VIDEOS):
        return
    if not VTEST.exists():
        raise SystemExit(f"samples: {VTEST} is missing: run `make setup`")
    require_encoders("libx264")
    for name, make in VIDEOS.items():
        produce(VIDEO, [name], recipe, make)


if __name__ == "__main__":
    run(main)
