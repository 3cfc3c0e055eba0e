"""Cuts walking people out of vtest and lets them walk somewhere else.

A `Take` names a few seconds of vtest in which one person walks with nobody near. A `Walker` is that
take cut out: for each frame the person's window, how it differs from the background it was filmed
against, and two mattes. `Walker.paint` puts one frame of it anywhere in another picture.

A pixel of the result is

    background + wide * (source - source background) + core * (source background - background)

which is the plain background outside `wide`, and the source itself inside `core` (the person's
body). Between the two only the difference is carried over, so no rim of the old background shows.
"""

from dataclasses import dataclass

import numpy as np

from scene import HEIGHT, WIDTH, blur, difference, planes, ramp


@dataclass(frozen=True)
class Take:
    """Frames `first` to `last` (from 0, inclusive) of vtest.

    x, foot: where the person's middle and feet are in the first frame, height: how tall, in pixels;
    all by eye, to about 10 pixels. The exact place is measured.
    """

    first: int
    last: int
    x: int
    foot: int
    height: int


@dataclass(frozen=True)
class Cutout:
    """One frame of a walker: float planes of its window and where the person stands in it."""

    difference: tuple  # source minus source background, per plane
    source_background: tuple  # per plane
    wide: np.ndarray  # 0..1, luma size
    core: np.ndarray  # 0..1, luma size
    x: float  # the person's middle, in the window
    foot: float  # the feet, in the window
    height: float


class Walker:
    """A person cut out of vtest, walking on the spot; `stride` is the advance per frame in heights."""

    def __init__(self, take: Take, frames: np.ndarray, background: np.ndarray):
        numbers = np.arange(take.first, take.last + 1)
        measured, x, foot = [], take.x, take.foot
        for number in numbers:
            apart = difference(frames[number], background)
            x, foot, height = _locate(apart, x, foot, take.height)
            measured.append((x, foot, height))
        # The feet go up and down with each step and an arm moves the middle: a smooth path is
        # what the ground sees, so the gait stays in the pictures and not in the place.
        time = numbers - take.first
        smooth = [
            np.polyval(np.polyfit(time, column, degree), time)
            for column, degree in zip(zip(*measured), (2, 2, 1))
        ]
        self.cutouts = [
            _cut(frames[number], background, *place) for number, place in zip(numbers, zip(*smooth))
        ]
        advance, heights = np.diff(smooth[0]), smooth[2][:-1]
        self.stride = float(np.mean(advance / heights))
        self.loop = self._gait_loop()

    def _gait_loop(self) -> int:
        """How many frames to play before starting again: whole steps, where the legs look alike."""
        first = _legs(self.cutouts[0])
        late = range(max(len(self.cutouts) // 2, 8), len(self.cutouts))
        return min(late, key=lambda n: float(np.abs(_legs(self.cutouts[n]) - first).mean()))

    def paint(self, picture, step: int, x: float, foot: float, height: float, behind=None) -> float:
        """Paints frame `step` with the feet at (x, foot) and returns the part of the person inside.

        picture: three float planes, changed in place. behind: luma-sized 0..1, what stands in front
        of the person and hides it.
        """
        cutout = self.cutouts[step % self.loop]
        scale = height / cutout.height
        rows, columns = cutout.wide.shape
        left, top = x - cutout.x * scale, foot - cutout.foot * scale
        # Even corners, so that chroma pixels sit between the same luma pixels.
        x0, y0 = int(np.floor(left / 2)) * 2, int(np.floor(top / 2)) * 2
        x1, y1 = x0 + int(columns * scale) // 2 * 2, y0 + int(rows * scale) // 2 * 2
        core = _sample(cutout.core, x0, x1, y0, y1, left, top, scale)
        whole = float(core.sum())
        cx0, cx1, cy0, cy1 = max(x0, 0), min(x1, WIDTH), max(y0, 0), min(y1, HEIGHT)
        if cx0 >= cx1 or cy0 >= cy1:
            return 0.0
        inside = core[cy0 - y0 : cy1 - y0, cx0 - x0 : cx1 - x0]
        for index, plane in enumerate(picture):
            k = 1 if index == 0 else 2
            window = (cx0 // k, cx1 // k, cy0 // k, cy1 // k, left / k, top / k, scale)
            target = plane[cy0 // k : cy1 // k, cx0 // k : cx1 // k]
            wide = _sample(cutout.wide[::k, ::k], *window)
            tight = _sample(cutout.core[::k, ::k], *window)
            if behind is not None:
                free = 1.0 - behind[cy0:cy1:k, cx0:cx1:k]
                wide, tight = wide * free, tight * free
            apart = _sample(cutout.difference[index], *window)
            old = _sample(cutout.source_background[index], *window)
            target += wide * apart + tight * (old - target)
        return float(inside.sum()) / whole


def _locate(apart: np.ndarray, x: float, foot: float, height: float):
    """Measures middle, feet and height of the one person near the last known place."""
    reach, above, below = int(0.3 * height), int(1.15 * height), int(0.15 * height)
    x0, x1 = max(int(x) - reach, 0), min(int(x) + reach, WIDTH)
    y0, y1 = max(int(foot) - above, 0), min(int(foot) + below, HEIGHT)
    body = _body(apart[y0:y1, x0:x1])
    columns, rows = body.sum(axis=0), body.sum(axis=1)
    middle = float((columns * np.arange(x0, x1)).sum() / columns.sum())
    filled = np.flatnonzero(rows >= 4)
    return middle, float(y0 + filled[-1] + 1), float(filled[-1] + 1 - filled[0])


def _body(apart: np.ndarray) -> np.ndarray:
    """Where someone is. Barrier tape moves in the wind, but is less than five pixels high."""
    changed = apart > 20
    upright = blur(changed, 4, axes=(0,)) > 0.6
    return (blur(changed, 1) > 0.5) & (blur(upright, 2) > 0.02)


def _envelope(shape, x: float, foot: float, height: float) -> np.ndarray:
    """The space a walking person can fill: narrow at the head, wide from the elbows down. It keeps
    out whoever else passes at the rim of the window."""
    rows, columns = np.ogrid[0 : shape[0], 0 : shape[1]]
    up = (foot - rows) / height
    half = np.interp(up, (0.55, 0.95), (0.36, 0.2)) * height
    return ramp(half - np.abs(columns - x), 0, 4) * ramp(1.12 - up, 0, 0.04)


def _cut(frame, background, x: float, foot: float, height: float) -> Cutout:
    """Cuts the person's window out of one frame. The window must lie in the picture but for its sides."""
    reach = int(0.38 * height) // 2 * 2
    x0, x1 = (int(x) - reach) // 2 * 2, (int(x) + reach) // 2 * 2
    y0, y1 = int(foot - 1.15 * height) // 2 * 2, int(foot + 0.12 * height) // 2 * 2
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, WIDTH), min(y1, HEIGHT)
    apart = difference(frame, background)[y0:y1, x0:x1]
    body = _body(apart)
    core = blur(body, 1) * ramp(apart.astype(np.float32), 2, 14)
    core = np.maximum(core, blur(blur(body, 2) > 0.75, 1))  # no holes inside the body
    wide = ramp(blur(body, 4), 0.02, 0.2)
    wide *= _envelope(wide.shape, x - x0, foot - y0, height)
    source, old = planes(frame), planes(background)
    changes, backgrounds = [], []
    for index in range(3):
        k = 1 if index == 0 else 2
        window = (slice(y0 // k, y1 // k), slice(x0 // k, x1 // k))
        backgrounds.append(old[index][window].astype(np.float32))
        changes.append(source[index][window].astype(np.float32) - backgrounds[-1])
    core = np.minimum(core, wide)
    return Cutout(tuple(changes), tuple(backgrounds), wide, core, x - x0, foot - y0, height)


def _legs(cutout: Cutout) -> np.ndarray:
    """The lower half of the body at a fixed size, for comparing poses."""
    height = cutout.height
    x, y = np.meshgrid(np.linspace(-0.3, 0.3, 24), np.linspace(-0.5, 0.0, 24))
    columns = np.clip((cutout.x + x * height).astype(int), 0, cutout.core.shape[1] - 1)
    rows = np.clip((cutout.foot + y * height).astype(int), 0, cutout.core.shape[0] - 1)
    return cutout.core[rows, columns]


def _sample(plane, x0, x1, y0, y1, left, top, scale) -> np.ndarray:
    """Bilinear look-up of `plane`, placed with its corner at (left, top) and enlarged by `scale`,
    for the pixels x0..x1, y0..y1; zero outside it."""
    columns, rows = (np.arange(x0, x1) - left) / scale, (np.arange(y0, y1) - top) / scale
    padded = np.pad(plane, 1)
    return _lerp(_lerp(padded, rows, 0), columns, 1)


def _lerp(padded: np.ndarray, places: np.ndarray, axis: int) -> np.ndarray:
    places = np.clip(places + 1, 0, padded.shape[axis] - 1.001)
    low = places.astype(int)
    part = (places - low).astype(np.float32)
    part = part[:, None] if axis == 0 else part[None, :]
    return padded.take(low, axis) * (1 - part) + padded.take(low + 1, axis) * part
