"""Who walks through the quiet scene, when and where; and the truth that follows from it.

Each walk goes from one side of the picture to the other. A visit is one walk, or several that
overlap in time: from the first frame with at least a quarter of a person in the picture to the
first frame with nobody in it.
"""

from dataclasses import dataclass

import numpy as np

from scene import FPS, HEIGHT, WIDTH, blur, planes
from walkers import Take, Walker

SECONDS = 600

# Seconds of vtest in which one person walks alone, by eye. Named by what they wear.
TAKES = {
    "blue": Take(165, 212, x=330, foot=244, height=74),
    "striped": Take(184, 222, x=360, foot=290, height=85),
    "jeans": Take(222, 262, x=355, foot=238, height=78),
    "black": Take(236, 268, x=700, foot=375, height=111),
    "red": Take(428, 455, x=710, foot=368, height=101),
    "leather": Take(187, 202, x=635, foot=308, height=90),
    "bald": Take(354, 388, x=510, foot=276, height=90),
    "paper": Take(384, 399, x=600, foot=372, height=104),
}


@dataclass(frozen=True)
class Walk:
    """`who` sets out at `start` (seconds) from outside the picture and follows the pavement between
    the row `left` at the picture's left edge and the row `right` at its right edge. Which way, the
    take says: people walk as they face."""

    start: float
    who: str
    left: int
    right: int


WALKS = (
    Walk(11.6, "blue", left=228, right=318),
    Walk(69.0, "bald", left=225, right=338),
    Walk(105.5, "red", left=228, right=352),
    Walk(143.0, "black", left=224, right=380),
    Walk(145.5, "striped", left=220, right=330),
    # Here ends the part that the two-stream camera shows.
    Walk(232.0, "leather", left=230, right=345),
    Walk(267.0, "striped", left=228, right=340),
    Walk(268.4, "blue", left=218, right=312),
    Walk(340.0, "paper", left=222, right=392),
    Walk(341.6, "bald", left=216, right=352),
    Walk(420.0, "jeans", left=222, right=296),
    Walk(457.0, "red", left=226, right=372),
    Walk(459.0, "striped", left=220, right=346),
    Walk(460.2, "blue", left=214, right=306),
    Walk(540.0, "black", left=226, right=365),
)


def person_height(foot: float) -> float:
    """How tall a grown-up is, in pixels, whose feet are at that row of vtest."""
    return 67.0 + 0.305 * (foot - 247.0)


# What stands between the camera and the way: the lamp post with its sign (polygons of x, y).
POST = (
    ((428, 108), (432, 108), (437, 392), (429, 392)),
    ((413, 203), (444, 203), (446, 244), (414, 244)),
)


def front_mask() -> np.ndarray:
    """0..1 at luma size: what hides a walker."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for corners in POST:
        inside = np.ones_like(mask)
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1]):
            inside &= (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) >= 0
        mask |= inside
    return blur(mask, 1)


# The pavement bends: people pass behind the boulder at its left end.
BEND = 1.5


@dataclass(frozen=True)
class Place:
    """Where a walker stands in one frame; `step` is the frame of the walker to show."""

    who: str
    step: int
    x: float
    foot: float


def places(walk: Walk, stride: float) -> dict[int, Place]:
    """The frame numbers of one walk and where the person is in each."""
    margin = 0.45 * person_height(max(walk.left, walk.right))
    x = -margin if stride > 0 else WIDTH + margin
    frame, result = round(walk.start * FPS), {}
    while -margin <= x <= WIDTH + margin:
        foot = walk.left + (walk.right - walk.left) * max(x / WIDTH, 0.0) ** BEND
        result[frame] = Place(walk.who, len(result), x, foot)
        x += stride * person_height(foot)
        frame += 1
    return result


class Scene:
    """The quiet background, with whoever is walking at that moment."""

    def __init__(self, frames: np.ndarray, background: np.ndarray):
        self.walkers = {name: Walker(take, frames, background) for name, take in TAKES.items()}
        self.background = background
        self.front = front_mask()
        self.timetable: dict[int, list[Place]] = {}
        for walk in WALKS:
            for frame, place in places(walk, self.walkers[walk.who].stride).items():
                self.timetable.setdefault(frame, []).append(place)

    def render(self, frame: int) -> tuple[bytes, list[float]]:
        """One raw picture, and for each person about it the part that is inside."""
        walking = sorted(self.timetable.get(frame, []), key=lambda place: place.foot)
        if not walking:
            return self.background.tobytes(), []
        picture = [plane.astype(np.float32) for plane in planes(self.background)]
        shares = [
            self.walkers[p.who].paint(
                picture, p.step, p.x, p.foot, person_height(p.foot), behind=self.front
            )
            for p in walking
        ]
        raw = [np.clip(plane + 0.5, 0, 255).astype(np.uint8).tobytes() for plane in picture]
        return b"".join(raw), shares


class Truth:
    """Collects the visits frame by frame."""

    ENTERED, GONE = 0.25, 0.01

    def __init__(self):
        self.visits: list[list] = []  # [start frame, end frame, people]
        self.open = False

    def see(self, frame: int, shares: list[float]) -> None:
        if not self.open and any(share >= self.ENTERED for share in shares):
            self.visits.append([frame, frame, 0])
            self.open = True
        if self.open:
            visit = self.visits[-1]
            visit[1] = frame
            visit[2] = max(visit[2], sum(share >= self.ENTERED for share in shares))
            self.open = any(share > self.GONE for share in shares)

    def csv(self) -> str:
        lines = ["start_s,end_s,people"]
        lines += [f"{a / FPS:.1f},{b / FPS:.1f},{people}" for a, b, people in self.visits]
        return "\n".join(lines) + "\n"
