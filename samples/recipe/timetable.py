"""When the visits of a workshop scene begin, from the pauses wished between them."""

from dataclasses import dataclass, replace

import numpy as np

from scene import FPS
from stage import Walk, places
from truth import ENTERED, GONE

# A visit's start relative to the keyframes tells how late a look at keyframes can notice it: the
# golden ratio spreads any number of visits evenly over this many seconds.
KEYFRAME_S = 2
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Call:
    """One visit: it begins at least `gap` and less than `gap` + 2 seconds after the one before has
    left. The walks' `start` counts from the first one's."""

    gap: float
    walks: tuple[Walk, ...]


def schedule(calls, walkers, width: int) -> list[Walk]:
    """The walks with their times; the picture is empty before the first call's `gap`."""
    walks, left = [], 0.0
    for number, call in enumerate(calls):
        stays = [_stay(walk, walkers[walk.who], width) for walk in call.walks]
        entered = min(begin for begin, _ in stays)
        phase = KEYFRAME_S * (number * GOLDEN % 1)
        start = left + call.gap
        start += (phase - start) % KEYFRAME_S
        shift = round((start - entered) * FPS) / FPS
        walks += [replace(walk, start=walk.start + shift) for walk in call.walks]
        left = max(end for _, end in stays) + shift
    return walks


def _stay(walk: Walk, walker, width: int) -> tuple[float, float]:
    """From when to when a quarter, or anything at all, of the person is inside the picture."""
    path = places(walk, walker, width)
    inside = [walker.share_between(p.step, p.x, p.height, width) for p in path]
    entered = np.flatnonzero(np.array(inside) >= ENTERED)
    seen = np.flatnonzero(np.array(inside) > GONE)
    return walk.start + entered[0] / FPS, walk.start + (seen[-1] + 1) / FPS
