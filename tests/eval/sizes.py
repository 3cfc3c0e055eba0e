"""Found and AP by the person's height, over all size scenes together."""

from dataclasses import dataclass

from .boxes import Precision, nearest_height, precision, precision_by_height
from .measure import Measured
from .truth import Boxes
from .visits import median


@dataclass(frozen=True)
class SizeFigures:
    """At one of `HEIGHTS`."""

    visits: int
    found: int
    delay_median: float | None
    precision: Precision | None


def by_height(scenes: list[Measured]) -> dict[int, SizeFigures]:
    """Visits by the height that their truth names; boxes by their own."""
    delays: dict[int, list[float | None]] = {}
    for scene in scenes:
        for visit, delay in zip(scene.matched.visits, scene.matched.delays):
            if visit.height is not None:
                delays.setdefault(nearest_height(visit.height), []).append(delay)
    precisions = precision_by_height(*pool(scenes))
    figures = {}
    for height in sorted({*delays, *precisions}):
        all_delays = delays.get(height, [])
        found = [delay for delay in all_delays if delay is not None]
        figures[height] = SizeFigures(len(all_delays), len(found), median(found), precisions.get(height))
    return figures


def pooled_precision(scenes: list[Measured]) -> Precision | None:
    return precision(*pool(scenes))


def pool(scenes: list[Measured]) -> tuple[Boxes, Boxes, list[int]]:
    """Truth, what was seen and the grid of several clips as if they were one: frame numbers go on."""
    truth, seen, frames, offset = {}, {}, [], 0
    for boxes in (scene.boxes for scene in scenes if scene.boxes):
        truth |= {offset + frame: found for frame, found in boxes.truth.items()}
        seen |= {offset + frame: found for frame, found in boxes.seen.items()}
        frames += [offset + frame for frame in boxes.frames]
        offset += max([*boxes.truth, *boxes.frames])
    return truth, seen, frames
