"""Cuts walking people out of vtest and lets them walk somewhere else.

A `Take` names a few seconds of vtest in which one person walks with nobody near. A `Walker` is that
take cut out: for each frame the person's window, how it differs from the background it was filmed
against, and its mattes. `Walker.paint` puts one frame of it anywhere in another picture.

A pixel of the result is

    background + wide * (source - source background) + body * (source background - background)

which is the plain background outside `wide`, and the source itself inside `body`. Between the two
only the difference is carried over, so no rim of the old background shows. (A third matte, `core`,
is the body with its rim and the shadow at its feet: how much of it is in the picture decides what
counts as being there.)
"""

from dataclasses import dataclass
from functools import lru_cache

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
    body: np.ndarray  # 0..1, luma size
    x: float  # the person's middle, in the window
    foot: float  # the feet, in the window
    height: float


@dataclass
class Figure:
    """What one painted person shows: `matte` is the visible part of the body, with its corner at
    (x, y) of the picture, and `whole` the sum of the matte if nothing hid it."""

    share: float  # of the person inside the picture, hidden or not
    x: int
    y: int
    matte: np.ndarray
    whole: float

    def visible(self) -> float:
        return float(self.matte.sum()) / self.whole

    def box(self) -> tuple[int, int, int, int]:
        """Left, top, width and height of what shows."""
        rows, columns = (np.flatnonzero((self.matte > 0.5).any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return 0, 0, 0, 0
        left, top = int(columns[0]), int(rows[0])
        return self.x + left, self.y + top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top

    def step_behind(self, other: "Figure") -> None:
        """Takes away what the other one, who is nearer, hides of this one."""
        x0, y0 = max(self.x, other.x), max(self.y, other.y)
        x1 = min(self.x + self.matte.shape[1], other.x + other.matte.shape[1])
        y1 = min(self.y + self.matte.shape[0], other.y + other.matte.shape[0])
        if x0 < x1 and y0 < y1:
            cover = other.matte[y0 - other.y : y1 - other.y, x0 - other.x : x1 - other.x]
            self.matte[y0 - self.y : y1 - self.y, x0 - self.x : x1 - self.x] *= 1 - cover


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
        self.rest = min(range(self.loop), key=lambda n: _spread(self.cutouts[n]))

    def _gait_loop(self) -> int:
        """How many frames to play before starting again: whole steps, where the legs look alike."""
        first = _legs(self.cutouts[0])
        late = range(max(len(self.cutouts) // 2, 8), len(self.cutouts))
        return min(late, key=lambda n: float(np.abs(_legs(self.cutouts[n]) - first).mean()))

    def share_between(self, step: int, x: float, height: float, width: int) -> float:
        """The part of the person that is inside a picture of that width, standing at x."""
        cutout = self.cutouts[step % self.loop]
        columns = cutout.core.sum(axis=0)
        at = x + (np.arange(len(columns)) - cutout.x) * height / cutout.height
        return float(columns[(at >= 0) & (at < width)].sum() / columns.sum())

    @lru_cache(maxsize=256)
    def pose(self, step: int, halvings: int) -> Cutout:
        """One frame of the walk, so often halved in size."""
        cutout = self.cutouts[step]
        for _ in range(halvings):
            cutout = _halved(cutout)
        return cutout

    def paint(
        self, picture, step: int, x: float, foot: float, height: float, behind=None
    ) -> Figure:
        """Paints frame `step` with the feet at (x, foot).

        picture: three 8-bit planes, changed in place. behind: luma-sized 0..1, what stands in front
        of the person and hides it.
        """
        step %= self.loop
        # Bilinear look-up would skip pixels of what shrinks to less than half.
        shrinks = self.cutouts[step].height / height
        cutout = self.pose(step, max(int(np.log2(shrinks)), 0))
        scale = height / cutout.height
        rows, columns = cutout.wide.shape
        left, top = x - cutout.x * scale, foot - cutout.foot * scale
        # Even corners, so that chroma pixels sit between the same luma pixels.
        x0, y0 = int(np.floor(left / 2)) * 2, int(np.floor(top / 2)) * 2
        x1, y1 = x0 + int(columns * scale) // 2 * 2, y0 + int(rows * scale) // 2 * 2
        look = _Enlarger((y0, y1), (x0, x1), top, left, scale)
        core, body = look(cutout.core), look.outlined(cutout.body)
        whole = float(body.sum())
        limit_y, limit_x = picture[0].shape
        cx0, cx1, cy0, cy1 = max(x0, 0), min(x1, limit_x), max(y0, 0), min(y1, limit_y)
        if cx0 >= cx1 or cy0 >= cy1:
            return Figure(0.0, 0, 0, np.zeros((0, 0), np.float32), whole)
        inside = slice(cy0 - y0, cy1 - y0), slice(cx0 - x0, cx1 - x0)
        share, matte = float(core[inside].sum() / core.sum()), body[inside]
        free = 1.0 if behind is None else 1.0 - behind[cy0:cy1, cx0:cx1]
        matte = matte * free
        for index, plane in enumerate(picture):
            k = 1 if index == 0 else 2
            window = slice(cy0 // k, cy1 // k), slice(cx0 // k, cx1 // k)
            spans = [(part.start, part.stop) for part in window]
            look = _Enlarger(*spans, top / k, left / k, scale)
            wide, tight = look(cutout.wide[::k, ::k]), look.outlined(cutout.body[::k, ::k])
            if behind is not None:
                wide, tight = wide * free[::k, ::k], tight * free[::k, ::k]
            apart, old = look(cutout.difference[index]), look(cutout.source_background[index])
            target = plane[window]
            result = target + wide * apart + tight * (old - target)
            target[:] = np.clip(result + 0.5, 0, 255)
        return Figure(share, cx0, cy0, matte, whole)


class _Enlarger:
    """Looks planes up for a window of rows and columns, placed with their corner at (left, top) and
    enlarged by `scale`; zero outside them."""

    SMOOTH = 1.5  # from this scale on the pixels would show

    def __init__(self, rows, columns, top: float, left: float, scale: float):
        self.rows = (np.arange(*rows) - top) / scale
        self.columns = (np.arange(*columns) - left) / scale
        self.scale = scale
        self.kernel = _cubic if scale > self.SMOOTH else _linear

    def __call__(self, plane: np.ndarray) -> np.ndarray:
        down, across = (
            self.kernel(places[:, None] - np.arange(size)).astype(np.float32)
            for places, size in zip((self.rows, self.columns), plane.shape)
        )
        return down @ plane.astype(np.float32) @ across.T

    def outlined(self, matte: np.ndarray) -> np.ndarray:
        """A matte whose rim does not get wider as it gets larger."""
        if self.scale <= self.SMOOTH:
            return self(matte)
        return np.clip((self(matte) - 0.5) * self.scale / self.SMOOTH + 0.5, 0, 1)


def _linear(apart: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(apart), 0)


def _cubic(apart: np.ndarray) -> np.ndarray:
    """The kernel of Catmull and Rom: smooth, and sharper than straight lines."""
    far = np.abs(apart)
    near = (1.5 * far - 2.5) * far**2 + 1
    return np.where(far < 1, near, np.where(far < 2, ((2.5 - 0.5 * far) * far - 4) * far + 2, 0))


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


def _ground(apart: np.ndarray, foot: float, height: float) -> np.ndarray:
    """Around the feet, what differs little is the ground in their shadow, not body: it stays where
    it was filmed."""
    up = (foot - np.arange(len(apart))[:, None]) / height
    return ramp(0.2 - up, 0, 0.06) * (1 - ramp(blur(apart, 1), 25, 50))


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
    body = core * (1 - _ground(apart, foot - y0, height))
    body = ramp(blur(body, 1), 0.4, 0.9)  # the outermost pixels are half ground
    mattes = wide, core, body
    return Cutout(tuple(changes), tuple(backgrounds), *mattes, x - x0, foot - y0, height)


def _legs(cutout: Cutout) -> np.ndarray:
    """The lower half of the body at a fixed size, for comparing poses."""
    height = cutout.height
    x, y = np.meshgrid(np.linspace(-0.3, 0.3, 24), np.linspace(-0.5, 0.0, 24))
    columns = np.clip((cutout.x + x * height).astype(int), 0, cutout.core.shape[1] - 1)
    rows = np.clip((cutout.foot + y * height).astype(int), 0, cutout.core.shape[0] - 1)
    return cutout.core[rows, columns]


def _spread(cutout: Cutout) -> float:
    """How far apart the legs are."""
    return float((_legs(cutout) > 0.5).any(axis=0).sum())


def _halved(cutout: Cutout) -> Cutout:
    def half(plane):
        rows, columns = (size // 2 * 2 for size in plane.shape)
        even = plane[:rows, :columns]
        return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4

    return Cutout(
        tuple(map(half, cutout.difference)),
        tuple(map(half, cutout.source_background)),
        half(cutout.wide),
        half(cutout.core),
        half(cutout.body),
        cutout.x / 2,
        cutout.foot / 2,
        cutout.height / 2,
    )
