"""Golden vectors: small inputs with the answer of the reference decoding, for the product's tests.

`head-*.json`: raw outputs of a head for a 64x64 input, and the boxes after suppression. `person.json`: the boxes
that each person model finds in `picture.jpg`.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from . import heads, person, prepare
from .score_person import session

SIZE = (64, 64)
CLASSES = 3
THRESHOLD = 0.3
IOU = 0.5
OBJECTS = [
    # x0, y0, x1, y1, class, score
    (5.0, 6.0, 21.0, 50.0, 0, 0.9),
    (6.0, 8.0, 23.0, 52.0, 0, 0.7),  # the same person again: suppressed
    (6.5, 7.0, 22.0, 44.0, 1, 0.6),  # the same place, another class: kept
    (30.0, 20.0, 44.0, 60.0, 0, 0.8),
    (38.0, 22.0, 52.0, 61.0, 0, 0.5),  # a neighbour, overlap below the limit: kept
    (56.0, 2.0, 66.0, 12.0, 2, 0.45),  # reaches over the edge
    (2.0, 54.0, 12.0, 62.0, 1, 0.2),  # below the threshold
]


def _cells(strides: list[int], reach: float) -> list[tuple[int, int, int]]:
    """For each object the cell that tells of it, as stride index, column and row: of the finest stride for which
    `reach` strides span the object, the cell of its centre or, where that is taken, one further down."""
    cells = []
    for x0, y0, x1, y1, *_ in OBJECTS:
        index = next(i for i, s in enumerate(strides) if max(x1 - x0, y1 - y0) <= reach * s)
        column, row = int((x0 + x1) / 2 / strides[index]), int((y0 + y1) / 2 / strides[index])
        while (index, column, row) in cells:
            row += 1
        cells.append((index, column, row))
    return cells


def _nanodet(strides: list[int], bins: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(7)
    outputs = {}
    for stride in strides:
        cells = (SIZE[0] // stride) * (SIZE[1] // stride)
        outputs[f"cls{stride}"] = random.uniform(0, 0.1, (1, cells, CLASSES))
        outputs[f"dist{stride}"] = random.normal(0, 0.5, (1, cells, 4 * bins))
    for box, (index, column, row) in zip(OBJECTS, _cells(strides, 5)):
        stride = strides[index]
        cell = row * (SIZE[0] // stride) + column
        outputs[f"cls{stride}"][0, cell, box[4]] = box[5]
        x, y = (column + 0.5) * stride, (row + 0.5) * stride
        for side, distance in enumerate((x - box[0], y - box[1], box[2] - x, box[3] - y)):
            low = int(distance / stride)
            part = distance / stride - low
            logits = outputs[f"dist{stride}"][0, cell, side * bins : (side + 1) * bins]
            logits[low] += 8 + np.log(1 - part + 1e-3)
            logits[low + 1] += 8 + np.log(part + 1e-3)
    return {name: values.round(4).astype(np.float32) for name, values in outputs.items()}


def _yolox(strides: list[int]) -> np.ndarray:
    random = np.random.default_rng(8)
    counts = [(SIZE[0] // s) * (SIZE[1] // s) for s in strides]
    rows = np.concatenate(
        [random.normal(0, 0.5, (sum(counts), 4)), random.uniform(0, 0.3, (sum(counts), 1 + CLASSES))], 1
    )
    for box, (index, column, row) in zip(OBJECTS, _cells(strides, 3)):
        stride = strides[index]
        x, y = (box[0] + box[2]) / 2 / stride - column, (box[1] + box[3]) / 2 / stride - row
        cell = sum(counts[:index]) + row * (SIZE[0] // stride) + column
        rows[cell, :5] = x, y, np.log((box[2] - box[0]) / stride), np.log((box[3] - box[1]) / stride), 0.95
        rows[cell, 5 + box[4]] = box[5] / 0.95
    return rows[None].round(4).astype(np.float32)


def _yolov8() -> np.ndarray:
    random = np.random.default_rng(9)
    rows = np.concatenate([random.uniform(0, 64, (84, 4)), random.uniform(0, 0.1, (84, CLASSES))], 1)
    for cell, box in zip(range(3, 84, 11), OBJECTS):
        rows[cell, :4] = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]
        rows[cell, 4 + box[4]] = box[5]
    return rows.T[None].round(4).astype(np.float32)


def _boxes(decoded: heads.Decoded) -> list[dict]:
    """Best first."""
    return [
        {"box": [round(float(v), 3) for v in box], "score": round(float(score), 4), "class": int(kind)}
        for box, score, kind in zip(*decoded)
    ]


def _save(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n")


def _head(path: Path, kind: str, outputs: dict[str, np.ndarray], decoded: heads.Decoded, **head) -> None:
    kept = _boxes(heads.suppress(decoded, IOU))
    if len(kept) != 5:
        raise SystemExit(f"{kind}: {len(kept)} boxes are left of the golden objects, expected 5.")
    tensors = {
        name: {"shape": values.shape, "data": [round(float(v), 4) for v in values.reshape(-1)]}
        for name, values in outputs.items()
    }
    _save(
        path,
        {
            "head": {"kind": kind, **head},
            "size": SIZE,
            "score": THRESHOLD,
            "nms_iou": IOU,
            "outputs": tensors,
            "expected": kept,
        },
    )


def _picture(models: Path, folder: Path) -> None:
    picture = Image.open(folder / "picture.jpg")
    size = prepare.nearest(picture.size, person.SIZES)
    canvas, box = prepare.letterbox(picture, size)
    tensor = prepare.tensor(canvas)
    found = {}
    for name in ("person", "person-f32"):
        model = session(models / f"{name}.onnx")
        names = [output.name for output in model.get_outputs()]
        outputs = dict(zip(names, model.run(names, {"input": tensor})))
        decoded = heads.nanodet(outputs, size, person.STRIDES, person.BINS, person.SCORE)
        boxes, scores, classes = heads.suppress(decoded, person.NMS_IOU)
        found[name] = _boxes((boxes / box.scale, scores, classes))
    samples = {
        f"{c},{y},{x}": int(tensor[0, c, y, x])
        for c, y, x in ((0, 10, 10), (1, 100, 200), (2, 150, 400), (0, size[1] - 1, size[0] - 1))
    }
    _save(
        folder / "person.json",
        {"picture": "picture.jpg", "size": size, "scale": box.scale, "tensor": samples, "expected": found},
    )


def make(models: Path) -> None:
    """Write every golden vector into `models`/golden; the person models must be there already."""
    folder = models / "golden"
    strides, bins = person.STRIDES, person.BINS
    outputs = _nanodet(strides, bins)
    _head(
        folder / "head-nanodet.json",
        "nanodet",
        outputs,
        heads.nanodet(outputs, SIZE, strides, bins, THRESHOLD),
        strides=strides,
        bins=bins,
    )
    rows = _yolox(strides)
    _head(
        folder / "head-yolox.json",
        "yolox",
        {"output": rows},
        heads.yolox(rows, SIZE, strides, THRESHOLD),
        strides=strides,
    )
    rows = _yolov8()
    _head(folder / "head-yolov8.json", "yolov8", {"output0": rows}, heads.yolov8(rows, THRESHOLD))
    _picture(models, folder)
