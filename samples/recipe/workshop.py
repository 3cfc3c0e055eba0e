"""Makes the workshop's labelled scenes from vtest.avi, two at a time. See samples/README.md.

A scene that is there and was made by the same recipe is left alone; only what it is made with
counts, so that a change to the rain does not make the snow again.
"""

import argparse
import fnmatch
import json
import multiprocessing
import os
import subprocess
from concurrent.futures import ProcessPoolExecutor, as_completed
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

# Before numpy is loaded: its threads would only wait for each other over such small matrices.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from catalogue import quick_scenes, scenes
from encode import require_encoders
from film import Scene, Studio
from recipes import is_made, produce, recipe_hash, run

SAMPLES = Path(__file__).resolve().parent.parent
WORKSHOP, VTEST = SAMPLES / "workshop", SAMPLES / "cache" / "vtest.avi"
AT_A_TIME = 2

STUDIO = Studio(VTEST)


def recipe_of(scene: Scene) -> str:
    effect = [scene.effect.__module__] if scene.effect else []
    return recipe_hash("film", *effect, settings=repr(scene))


def make(scene: Scene, recipe: str) -> None:
    produce(WORKSHOP, scene.files, recipe, lambda *parts: STUDIO.shoot(scene, *parts))


@lru_cache(maxsize=None)
def probe(video: Path, _modified: float) -> dict:
    """What ffmpeg finds in a video; asked once for each time it is made."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v", "-of", "json"]
    command += ["-show_entries", "stream=width,height,duration,avg_frame_rate", video]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return json.loads(found)["streams"][0]


def entry(scene: Scene, quick: bool) -> dict:
    """What the manifest says about a scene that is made."""
    video = WORKSHOP / scene.files[0]
    stream = probe(video, video.stat().st_mtime)
    camera, fps = scene.camera, float(Fraction(stream["avg_frame_rate"]))
    return {
        "name": scene.name,
        "video": scene.files[0],
        "truth": scene.files[1],
        "boxes": scene.files[2] if scene.calls else None,
        "group": scene.group,
        "corruption": scene.corruption,
        "light": scene.light,
        "seconds": round(float(stream["duration"]), 2),
        "fps": round(fps, 2),
        "size": f"{stream['width']}x{stream['height']}",
        "codec": camera.codec,
        "keyframe_s": round(camera.keyframe_s * camera.fps / fps, 2),
        "rate": "cbr" if camera.rate == "cbr" else "vbr",
        "quick": quick,
    }


def write_manifest(everything: list[tuple[Scene, bool]]) -> None:
    """Also with those made by an older recipe: they and their truth are whole."""
    made = [
        entry(scene, quick)
        for scene, quick in everything
        if all((WORKSHOP / name).exists() for name in scene.files)
    ]
    part = WORKSHOP / ".part-scenes.json"
    part.write_text(json.dumps(made, indent=1) + "\n")
    part.replace(WORKSHOP / "scenes.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="only the quick scenes")
    parser.add_argument("--only", metavar="GLOB", nargs="+", default=["*"], help="only these")
    parser.add_argument("--list", action="store_true", help="name the scenes and make none")
    asked = parser.parse_args()

    everything = [(scene, True) for scene in quick_scenes()]
    everything += [(scene, False) for scene in scenes()]
    chosen = [
        scene
        for scene, quick in everything
        if (quick or not asked.quick)
        and any(fnmatch.fnmatch(scene.name, pattern) for pattern in asked.only)
    ]
    if asked.list:
        print("\n".join(f"{scene.group:11} {scene.name}" for scene in chosen))
        return
    if not VTEST.exists():
        raise SystemExit(f"samples: {VTEST} is missing: run `make setup`")
    require_encoders("libx264", "libx265")
    WORKSHOP.mkdir(exist_ok=True)
    missing = [s for s in chosen if not is_made(WORKSHOP, s.files, recipe_of(s))]
    if missing:
        _make_all(missing, everything)
    write_manifest(everything)
    print("samples: workshop ready" if missing else "samples: all there")


def _make_all(missing: list[Scene], everything) -> None:
    # Before the processes part, so that they share it.
    STUDIO.material  # noqa: B018
    with ProcessPoolExecutor(AT_A_TIME, multiprocessing.get_context("fork")) as pool:
        jobs = [pool.submit(make, scene, recipe_of(scene)) for scene in missing]
        for number, job in enumerate(as_completed(jobs), 1):
            job.result()
            write_manifest(everything)
            print(f"    {number} of {len(missing)}", flush=True)


if __name__ == "__main__":
    run(main)
