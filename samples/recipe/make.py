"""Makes the sample videos from vtest.avi: `make samples`.

A video that is there and was made by this very recipe is left alone.
"""

import os
import sys
from functools import cached_property
from pathlib import Path

# Before numpy is loaded: its threads would only wait for each other over such small matrices.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import odd
from encode import MP4, NOISE, Encoder, ffmpeg, h264, h265, repeat, require_encoders
from recipes import produce, recipe_hash, run
from scene import FPS, median_background, planes, read_frames
from stage import Stage
from truth import Truth
from visits import SECONDS, visits_stage

SAMPLES = Path(__file__).resolve().parent.parent
VIDEO, ODD, CACHE = SAMPLES / "video", SAMPLES / "odd", SAMPLES / "cache"
VTEST = CACHE / "vtest.avi"

# The two-stream camera shows the upper part of the scene at 16:9, for its first three minutes.
PAIR_SECONDS = 180
PAIR_CROP = "crop=768:432:0:72"

IDLE_LOOP_SECONDS = 40


class Material:
    """What several videos are made from, computed when first asked for."""

    @cached_property
    def frames(self):
        return read_frames(VTEST)

    @cached_property
    def background(self):
        return median_background(self.frames)

    @cached_property
    def stage(self):
        return visits_stage(self.frames, self.background)


def vtest_h264(_material, target):
    ffmpeg("-i", VTEST, *h264(1500), *MP4, target)


def vtest_h264_b_frames(_material, target):
    ffmpeg("-i", VTEST, *h264(1500, b_frames=3), *MP4, target)


def vtest_h265(_material, target):
    ffmpeg("-i", VTEST, *h265(1000), *MP4, target)


def idle(material, target):
    """Ten minutes in which nothing happens: forty seconds of noise, again and again."""
    loop = target.with_suffix(".loop")
    picture = planes(material.background)
    with Encoder(["-vf", NOISE, *h264(1200), *MP4, loop]) as encoder:
        for _ in range(IDLE_LOOP_SECONDS * FPS):
            encoder.write(picture)
    repeat(loop, SECONDS // IDLE_LOOP_SECONDS, target)
    loop.unlink()


def film(stage: Stage, seconds: int, outputs: list) -> Truth:
    """Plays the visits into an encoder and notes who was seen."""
    truth, frames = Truth(), seconds * FPS
    with Encoder(outputs) as encoder:
        for frame in range(frames):
            picture, people = stage.render(frame / FPS)
            truth.see(frame / FPS, people)
            encoder.write(picture)
            if sys.stdout.isatty() and frame % 50 == 0:
                print(f"\r    {100 * frame // frames:3d} %", end="\r", flush=True)
    return truth


def visits(material, target, truth_target):
    truth = film(material.stage, SECONDS, ["-vf", NOISE, *h264(1200), *MP4, target])
    truth_target.write_text(truth.csv())


def visits_pair(material, main, sub, truth_target):
    """The two streams of one camera: the same pictures at two sizes, each with noise of its own."""
    split = (
        f"[0:v]{PAIR_CROP},split[a][b];"
        f"[a]scale=1920:1080:flags=bicubic,{NOISE}[main];"
        f"[b]scale=640:360:flags=area,{NOISE}:all_seed=7[sub]"
    )
    outputs = ["-filter_complex", split]
    outputs += ["-map", "[main]", *h264(4000), *MP4, main]
    outputs += ["-map", "[sub]", *h264(600), *MP4, sub]
    truth = film(material.stage, PAIR_SECONDS, outputs)
    truth_target.write_text(truth.csv())


# What is made, and the function that makes it: the files are its arguments after the material.
VIDEOS = (
    (vtest_h264, "vtest-h264.mp4"),
    (vtest_h264_b_frames, "vtest-h264-bframes.mp4"),
    (vtest_h265, "vtest-h265.mp4"),
    (idle, "idle.mp4"),
    (visits, "visits.mp4", "visits.csv"),
    (visits_pair, "visits-main.mp4", "visits-sub.mp4", "visits-main.csv"),
)


def main() -> None:
    if not VTEST.exists():
        raise SystemExit(f"samples: {VTEST} is missing: run `make setup`")
    require_encoders("libx264", "libx265", "mpeg4", "aac")
    recipe, material, made = recipe_hash("make"), Material(), 0
    for function, *names in VIDEOS:
        made += produce(VIDEO, names, recipe, lambda *parts: function(material, *parts))
    for name, function in odd.CLIPS.items():
        made += produce(ODD, [name], recipe, lambda part: function(VTEST, part, VIDEO))
    print("samples: ready" if made else "samples: all there")


if __name__ == "__main__":
    run(main)
