"""Average precision of person boxes, by pycocotools."""

import contextlib
import io
from dataclasses import dataclass

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from .truth import Boxes

PERSON = 1
# Height shares at which size scenes are made, in percent of the picture.
HEIGHTS = (5, 7, 10, 14, 20, 30, 45, 60, 75, 90)


@dataclass(frozen=True)
class Precision:
    """AP at IoU 0.5 and the mean over 0.5, 0.55 ... 0.95; `curve`: precision at IoU 0.5 and recalls 0, 0.01 ... 1."""

    ap50: float
    ap: float
    truths: int
    curve: list[float]


def precision(truth: Boxes, seen: Boxes, frames: list[int]) -> Precision | None:
    """Over the given frames, those without any box too. None where there is no truth to find."""
    return _evaluate(truth, seen, frames, lambda box: 1.0, (0.0, 2.0))


def precision_by_height(truth: Boxes, seen: Boxes, frames: list[int]) -> dict[int, Precision]:
    """AP for truths whose height is nearest to each of `HEIGHTS`, with boxes in percent of the picture.

    As COCO does by area: truths of other heights are ignored, and so are boxes of other heights that match nothing.
    """
    edges = [0.0, *(float(np.sqrt(a * b)) for a, b in zip(HEIGHTS, HEIGHTS[1:])), 1000.0]
    found = {}
    for height, low, high in zip(HEIGHTS, edges, edges[1:]):
        result = _evaluate(truth, seen, frames, lambda box: box.h, (low, high))
        if result is not None:
            found[height] = result
    return found


def nearest_height(percent: float) -> int:
    """Which of `HEIGHTS` a person counts to."""
    return min(HEIGHTS, key=lambda height: abs(np.log(height / percent)))


def _evaluate(truth: Boxes, seen: Boxes, frames: list[int], size, bounds: tuple[float, float]) -> Precision | None:
    """`size` takes the place of COCO's area: what lies outside `bounds` is ignored.

    A truth that is not counted is a crowd to COCO: a box most of which lies in it is neither right nor wrong.
    """
    counted = sum(
        box.score != 0 and bounds[0] <= size(box) <= bounds[1] for frame in frames for box in truth.get(frame, [])
    )
    if not counted:
        return None
    gts = [
        {
            "image_id": frame,
            "category_id": PERSON,
            "bbox": list(box.xywh),
            "area": size(box),
            "iscrowd": int(not box.score),
        }
        for frame in frames
        for box in truth.get(frame, [])
    ]
    dts = [
        {"image_id": frame, "category_id": PERSON, "bbox": list(box.xywh), "area": size(box), "score": box.score}
        for frame in frames
        for box in seen.get(frame, [])
    ]
    # pycocotools reports its progress on stdout.
    with contextlib.redirect_stdout(io.StringIO()):
        scoring = COCOeval(_dataset(frames, gts), _dataset(frames, dts), "bbox")
        scoring.params.areaRng, scoring.params.areaRngLbl = [list(bounds)], ["all"]
        scoring.evaluate()
        scoring.accumulate()
    # Index: IoU, recall, category, size, most detections. -1 stands for "no truth", which was ruled out above.
    by_iou = scoring.eval["precision"][:, :, 0, 0, -1]
    ap50, ap = (round(float(part.mean()), 6) for part in (by_iou[0], by_iou))
    return Precision(ap50, ap, counted, [round(float(p), 4) for p in by_iou[0]])


def _dataset(frames: list[int], annotations: list[dict]) -> COCO:
    """Ids count from 1: COCO takes 0 for "unmatched"."""
    coco = COCO()
    coco.dataset = {
        "images": [{"id": frame} for frame in frames],
        "categories": [{"id": PERSON, "name": "person"}],
        "annotations": [{"id": number, **annotation} for number, annotation in enumerate(annotations, start=1)],
    }
    coco.createIndex()
    return coco
