"""The quiet scene as a stage: what stands on it, who crosses it, when and where."""

from bisect import bisect_right
from dataclasses import dataclass, field

import numpy as np

from scene import FPS, HEIGHT, WIDTH, blur, planes
from walkers import Figure, Walker


@dataclass(frozen=True)
class Walk:
    """`who` sets out at `start` (seconds) from outside the picture and follows the pavement between
    the row `left` at the picture's left edge and the row `right` at its right edge. Which way, the
    take says: people walk as they face.

    height: how tall in pixels, if not as the perspective of vtest has it. pace: how much quicker
    than in the take. halts: (part of the picture's width, seconds) of standing still.
    """

    start: float
    who: str
    left: float
    right: float
    height: float | None = None
    pace: float = 1.0
    halts: tuple = ()


def person_height(foot: float) -> float:
    """How tall a grown-up is, in pixels, whose feet are at that row of vtest."""
    return 67.0 + 0.305 * (foot - 247.0)


# The pavement bends: people pass behind the boulder at its left end.
BEND = 1.5

# Standing people sway: by this part of their height, once in so many frames.
SWAY, SWAY_FRAMES = 0.006, 45


@dataclass(frozen=True)
class Place:
    """Where a walker stands in one frame; `step` is the frame of the walker to show."""

    step: int
    x: float
    foot: float
    height: float


def places(walk: Walk, walker: Walker, width: int = WIDTH) -> list[Place]:
    """Where the person is in each tenth of a second from the walk's start."""

    def place(step, x):
        foot = walk.left + (walk.right - walk.left) * max(x / width, 0.0) ** BEND
        return Place(step, x, foot, walk.height or person_height(foot))

    margin = 0.45 * (walk.height or person_height(max(walk.left, walk.right)))
    rightwards = walker.stride > 0
    x = -margin if rightwards else width + margin
    halts = sorted(walk.halts, reverse=not rightwards)
    result: list[Place] = []
    walked = 0
    while -margin <= x <= width + margin:
        here = place(int(walked * walk.pace), x)
        result.append(here)
        if halts and rightwards == (x >= halts[0][0] * width):
            if here.step % walker.loop == walker.rest:
                result += _standing(here, halts.pop(0)[1])
        x += walker.stride * walk.pace * here.height
        walked += 1
    return result


def _standing(here: Place, seconds: float) -> list[Place]:
    turns = np.arange(round(seconds * FPS)) / SWAY_FRAMES
    sway = SWAY * here.height * np.sin(2 * np.pi * turns)
    return [Place(here.step, here.x + by, here.foot, here.height) for by in sway]


@dataclass(frozen=True)
class Occluder:
    """Hides who walks behind it: those whose feet are above the row `foot`."""

    mask: np.ndarray  # 0..1, luma size
    foot: float


@dataclass
class Backdrop:
    """The empty picture: its three planes and what can hide a person in it."""

    planes: tuple
    occluders: list[Occluder] = field(default_factory=list)

    @property
    def width(self) -> int:
        return self.planes[0].shape[1]

    @property
    def height(self) -> int:
        return self.planes[0].shape[0]

    def before(self, foot: float) -> np.ndarray | None:
        """The mask of all that stands nearer to the camera than `foot`."""
        masks = [occluder.mask for occluder in self.occluders if foot < occluder.foot]
        return np.maximum.reduce(masks) if masks else None


def polygon(corners, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A convex shape as a mask; the corners (x, y) clockwise."""
    y, x = np.mgrid[0:height, 0:width]
    inside = np.ones((height, width), bool)
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1]):
        inside &= (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) >= 0
    return inside


# The lamp post with its sign (polygons of x, y), and where it stands.
POST = (
    ((428, 108), (432, 108), (437, 392), (429, 392)),
    ((413, 203), (444, 203), (446, 244), (414, 244)),
)
POST_FOOT = 393


def plain_backdrop(background: np.ndarray) -> Backdrop:
    """vtest without people."""
    post = np.maximum.reduce([polygon(corners) for corners in POST])
    return Backdrop(planes(background), [Occluder(blur(post, 1), POST_FOOT)])


class Stage:
    """A backdrop, with whoever is walking at that moment."""

    def __init__(self, backdrop: Backdrop, walkers: dict[str, Walker], walks):
        self.backdrop, self.walkers = backdrop, walkers
        self.walks = [
            (walk, places(walk, walkers[walk.who], backdrop.width))
            for walk in sorted(walks, key=lambda walk: walk.start)
        ]
        self.fronts: dict[int, np.ndarray | None] = {}

    def end(self) -> float:
        """When the last walk is over."""
        return max(walk.start + len(path) / FPS for walk, path in self.walks)

    def render(self, time: float) -> tuple[tuple, dict[int, Figure]]:
        """The picture of that moment, and who is in it, by their number in order of appearance.

        The picture may be the backdrop itself: look, but do not touch.
        """
        walking = sorted(self._walking(time), key=lambda item: item[2].foot)
        if not walking:
            return self.backdrop.planes, {}
        picture = tuple(plane.copy() for plane in self.backdrop.planes)
        figures = {}
        for number, who, place in walking:
            figure = self.walkers[who].paint(
                picture, place.step, place.x, place.foot, place.height, self._front(place.foot)
            )
            for farther in figures.values():
                farther.step_behind(figure)
            figures[number] = figure
        return picture, figures

    def _walking(self, time: float):
        """Number, name and place of everyone about. The pose is held for a tenth of a second as it
        was filmed; the way is smooth."""
        for number, (walk, path) in enumerate(self.walks, 1):
            moment = (time - round(walk.start * FPS) / FPS) * FPS
            # A frame's time is not exact: a hair before a pose's moment is that moment.
            index = int(np.floor(moment + 1e-6))
            if 0 <= index < len(path):
                here, there = path[index], path[min(index + 1, len(path) - 1)]
                part = max(moment - index, 0.0)
                yield (
                    number,
                    walk.who,
                    Place(
                        here.step,
                        here.x + part * (there.x - here.x),
                        here.foot + part * (there.foot - here.foot),
                        here.height + part * (there.height - here.height),
                    ),
                )

    def _front(self, foot: float) -> np.ndarray | None:
        """The backdrop's mask before `foot`; there are only a few different ones."""
        depth = bisect_right(sorted(o.foot for o in self.backdrop.occluders), foot)
        if depth not in self.fronts:
            self.fronts[depth] = self.backdrop.before(foot)
        return self.fronts[depth]
