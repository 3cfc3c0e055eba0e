"""Reference decoding of detector outputs in numpy: what the product's heads are tested against.

Every head returns (boxes, scores, classes): boxes [n, 4] as x0, y0, x1, y1 in input pixels, before suppression.
"""

import numpy as np

Decoded = tuple[np.ndarray, np.ndarray, np.ndarray]


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Logistic function."""
    return 1 / (1 + np.exp(-values))


def softmax(values: np.ndarray) -> np.ndarray:
    """Softmax over the last axis."""
    powers = np.exp(values - values.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def grid(width: int, height: int, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Column and row of each cell of a stride, row by row."""
    rows, columns = np.mgrid[: height // stride, : width // stride]
    return columns.reshape(-1), rows.reshape(-1)


def _best(probabilities: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indexes of cells whose best class reaches the threshold, with its score and class."""
    classes = probabilities.argmax(-1)
    scores = probabilities.max(-1)
    kept = np.flatnonzero(scores >= threshold)
    return kept, scores[kept], classes[kept]


def nanodet(
    outputs: dict[str, np.ndarray], size: tuple[int, int], strides: list[int], bins: int, threshold: float
) -> Decoded:
    """Generalised focal loss head: the expectation over `bins` gives the distance from the cell's centre to each
    side, in strides. Scores are probabilities already."""
    parts: list[Decoded] = []
    for stride in strides:
        kept, scores, classes = _best(outputs[f"cls{stride}"][0], threshold)
        columns, rows = grid(*size, stride)
        centre = (np.stack([columns, rows], 1)[kept] + 0.5) * stride
        sides = softmax(outputs[f"dist{stride}"][0][kept].reshape(-1, 4, bins)) @ np.arange(bins) * stride
        boxes = np.concatenate([centre - sides[:, :2], centre + sides[:, 2:]], 1)
        parts.append((boxes, scores, classes))
    return tuple(np.concatenate(part) for part in zip(*parts))


def yolox(output: np.ndarray, size: tuple[int, int], strides: list[int], threshold: float) -> Decoded:
    """Raw YOLOX: [1, cells of all strides, 5 + classes] with offset, log size, objectness and class probabilities
    (both already through the sigmoid)."""
    cells = [(*grid(*size, stride), stride) for stride in strides]
    corner = np.concatenate([np.stack([c, r], 1) for c, r, _ in cells])
    stride = np.concatenate([np.full(len(c), s) for c, _, s in cells])[:, None]
    rows = output[0]
    kept, scores, classes = _best(rows[:, 4:5] * rows[:, 5:], threshold)
    centre = ((rows[:, :2] + corner) * stride)[kept]
    half = (np.exp(rows[:, 2:4]) * stride)[kept] / 2
    return np.concatenate([centre - half, centre + half], 1), scores, classes


def yolov8(output: np.ndarray, threshold: float) -> Decoded:
    """YOLOv8 style: [1, 4 + classes, cells] with centre and size in input pixels, then class probabilities."""
    rows = output[0].T
    kept, scores, classes = _best(rows[:, 4:], threshold)
    centre, half = rows[kept, :2], rows[kept, 2:4] / 2
    return np.concatenate([centre - half, centre + half], 1), scores, classes


def overlap(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of one box with many."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    area = (box[2:] - box[:2]).prod()
    return shared / (area + (others[:, 2:] - others[:, :2]).prod(-1) - shared)


def suppress(decoded: Decoded, iou: float) -> Decoded:
    """Greedy non-maximum suppression within each class, best first; a box goes if its overlap is above `iou`."""
    boxes, scores, classes = decoded
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size:
        first, order = order[0], order[1:]
        kept.append(int(first))
        same = classes[order] == classes[first]
        order = order[~(same & (overlap(boxes[first], boxes[order]) > iou))]
    return boxes[kept], scores[kept], classes[kept]
