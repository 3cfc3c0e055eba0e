"""What the motion model finds and what it should not: `python3 -m recipe score-motion VIDEO TRUTH`."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from . import prepare, video
from .motion import Settings
from .score_person import session, truth

ENOUGH = 12
"""Foreground pixels from which a look counts as motion."""


class Watch:
    """The model with the state of one camera."""

    def __init__(self, model: onnxruntime.InferenceSession, size: tuple[int, int], settings: Settings = Settings()):
        self.model, self.size, self.settings = model, size, settings
        self.background = self.spread = None

    def look(self, luma: np.ndarray, after: float) -> np.ndarray:
        """The mask of a Y plane seen `after` seconds since the last one."""
        small = np.asarray(Image.fromarray(luma).resize(self.size, Image.Resampling.BILINEAR))[None, None]
        if self.background is None:
            self.background = small.astype(np.float32)
            self.spread = np.full_like(self.background, self.settings.initial_variance)
        rate = np.array(1 - np.exp(-after / self.settings.tau), np.float32)
        feeds = {"luma": small, "background": self.background, "spread": self.spread, "rate": rate}
        self.background, self.spread, mask, self.score, self.gain = self.model.run(None, feeds)
        return mask[0, 0] > 0


def persons(watch: Watch, clip: Path, boxes: Path, fps: float, step: int) -> str:
    """Of the true persons in a clip: how many have foreground in their box, and a fifth of the box covered;
    and how much of the foreground is outside all boxes (widened by a tenth)."""
    counted, ignored = truth(boxes)
    touched = covered = total = inside = everything = 0
    for number, luma in enumerate(video.frames(clip, "gray"), 1):
        if (number - 1) % step:
            continue
        mask = watch.look(luma, step / fps)
        if number < 5 * fps:
            continue
        scale = np.array([watch.size[0] / luma.shape[1], watch.size[1] / luma.shape[0]] * 2)
        near = np.zeros_like(mask)
        for box in counted.get(number, ()):
            x0, y0, x1, y1 = np.clip((box * scale).round(), 0, [*watch.size] * 2).astype(int)
            part = mask[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
            total += 1
            touched += part.any()
            covered += part.size > 0 and part.mean() >= 0.2
        for box in (*counted.get(number, ()), *ignored.get(number, ())):
            margin = 0.1 * (box[2:] - box[:2])
            x0, y0 = np.floor(np.maximum((box[:2] - margin) * scale[:2], 0)).astype(int)
            x1, y1 = np.ceil((box[2:] + margin) * scale[:2]).astype(int)
            near[y0 : y1 + 1, x0 : x1 + 1] = True
        inside += (mask & near).sum()
        everything += mask.sum()
    return f"touched {touched / total:.3f}, a fifth covered {covered / total:.3f}, foreground outside boxes {1 - inside / everything:.3f}"


def visits(watch: Watch, clip: Path, events: Path, fps: float, step: int) -> str:
    """Of the visits in a clip: how many have a look with motion, the share of looks within visits that have it,
    and the looks with motion more than 3 s away from any visit."""
    spans = [(float(row["start_s"]), float(row["end_s"])) for row in csv.DictReader(events.open())]
    hits, looks, false, quiet = [0] * len(spans), 0, 0, 0
    for number, luma in enumerate(video.frames(clip, "gray")):
        if number % step:
            continue
        moving = watch.look(luma, step / fps).sum() >= ENOUGH
        at = number / fps
        within = [i for i, (start, end) in enumerate(spans) if start <= at < end]
        for i in within:
            hits[i] += moving
            looks += 1
        if not any(start - 3 <= at < end + 3 for start, end in spans):
            quiet += 1
            false += moving
    return f"visits {sum(h > 0 for h in hits)}/{len(spans)}, looks within visits {sum(hits) / looks:.3f}, false looks {false}/{quiet}"


def false_looks(watch: Watch, planes: Iterable[np.ndarray], after: float) -> str:
    """Looks with motion on planes that hold none."""
    found = [int(watch.look(plane, after).sum()) for plane in planes]
    return f"false looks {sum(n >= ENOUGH for n in found)}/{len(found)}, largest {max(found)} pixels"


def with_noise(still: np.ndarray, looks: int, sigma: float, light=lambda t: 1.0) -> Iterator[np.ndarray]:
    """A still Y plane under sensor noise and a light that changes: `light(look)` is a factor, or a row of factors."""
    random = np.random.default_rng(1)
    for t in range(looks):
        lit = 16 + (still.astype(np.float32) - 16) * light(t)
        noisy = lit + random.normal(0, sigma, still.shape)
        yield np.clip(noisy.round(), 0, 255).astype(np.uint8)


def absorption(watch: Watch, still: np.ndarray, contrast: float, per_second: float) -> str:
    """Seconds after which a rectangle (a tenth of the height) that appears and stays is no longer seen."""
    height, width = still.shape
    for plane in with_noise(still, 50, 2.0):
        watch.look(plane, 1 / per_second)
    with_object = still.astype(np.float32)
    rows, columns = slice(height // 2, height // 2 + height // 10), slice(width // 2, width // 2 + height // 25)
    patch = with_object[rows, columns]
    patch += np.where(patch.mean() > 128, -contrast, contrast)
    for look, plane in enumerate(with_noise(with_object, int(240 * per_second), 2.0)):
        if watch.look(plane, 1 / per_second).sum() < ENOUGH:
            return f"contrast {contrast:g}: {look / per_second:.0f} s"
    return f"contrast {contrast:g}: more than 240 s"


def median(clip: Path, every: int) -> np.ndarray:
    """The Y plane of the empty scene."""
    planes = [plane for number, plane in enumerate(video.frames(clip, "gray")) if number % every == 0]
    return np.median(planes, 0).astype(np.uint8)


LIGHTS = {
    "steady": lambda t: 1.0,
    "rising 1 % a look": lambda t: 1 + 0.01 * t,
    "flickering by a fifth": lambda t: 0.8 + 0.4 * (t * 0.618 % 1),
    "in steps": lambda t: (1.0, 0.6, 1.4, 0.7)[t // 15 % 4],
}


def report(model_path: Path, clip: Path, truth_path: Path, sizes: list[tuple[int, int]]) -> None:
    """Print what is found in a clip, given its boxes (MOT, .txt) or its visits (.csv), at 5 looks a second and at
    one each 2 s; then what the empty scene does under changing light, and how long a thing that stays is seen."""
    model = session(model_path)
    fps = video.rate(clip)
    size = prepare.nearest(video.size(clip), sizes)
    still = median(clip, int(fps))
    measure = visits if truth_path.suffix == ".csv" else persons
    print(f"{model_path.name} {size[0]}x{size[1]}")
    for seconds in (0.2, 2.0):
        print(f"  each {seconds:g} s: {measure(Watch(model, size), clip, truth_path, fps, round(seconds * fps))}")
    for name, light in LIGHTS.items():
        print(f"  empty scene, light {name}: {false_looks(Watch(model, size), with_noise(still, 60, 4.0, light), 1.0)}")
    for contrast in (25, 40, 80):
        print(f"  stays in view, {absorption(Watch(model, size), still, contrast, 5.0)}")
