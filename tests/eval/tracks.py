"""Tracking figures, by motmetrics: IDF1, identity switches, and how many people Lares thought there were."""

from dataclasses import dataclass

import motmetrics
import numpy as np

from .truth import Box, Boxes

MIN_IOU = 0.5


@dataclass(frozen=True)
class Tracking:
    idf1: float
    switches: int
    identities: int
    people: int


def tracking(truth: Boxes, seen: Boxes, frames: list[int]) -> Tracking:
    """Boxes with a track only. One on a truth that is not counted is left out, as the MOT challenge does."""
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    identities: set[int] = set()
    people: set[int] = set()
    for frame in frames:
        counted = [box for box in truth.get(frame, []) if box.score != 0]
        ignored = [box for box in truth.get(frame, []) if box.score == 0]
        tracked = [box for box in seen.get(frame, []) if box.id != -1]
        identities.update(box.id for box in tracked)
        people.update(box.id for box in counted)
        tracked = [box for box in tracked if not (_hits(box, ignored) and not _hits(box, counted))]
        # motmetrics' own distance does not run with numpy 2; NaN forbids a pair.
        distance = 1 - iou(counted, tracked)
        distance[distance > 1 - MIN_IOU] = np.nan
        accumulator.update([box.id for box in counted], [box.id for box in tracked], distance)
    figures = motmetrics.metrics.create().compute(accumulator, metrics=["idf1", "num_switches"], return_dataframe=False)
    return Tracking(float(figures["idf1"]), int(figures["num_switches"]), len(identities), len(people))


def _hits(box: Box, others: list[Box]) -> bool:
    return bool((iou([box], others) >= MIN_IOU).any())


def iou(a: list[Box], b: list[Box]) -> np.ndarray:
    """Intersection over union of each of `a` with each of `b`."""
    first = np.array([box.xywh for box in a], float).reshape(-1, 1, 4)
    second = np.array([box.xywh for box in b], float).reshape(1, -1, 4)
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., :2] + first[..., 2:], second[..., :2] + second[..., 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    return shared / (first[..., 2:].prod(axis=-1) + second[..., 2:].prod(axis=-1) - shared)
