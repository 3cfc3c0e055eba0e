"""Average precision of the person models on a video with MOT truth: `python3 -m recipe score-person VIDEO TRUTH`."""

import csv
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from . import heads, person, prepare, video

MATCH = 0.5
"""Overlap from which a detection counts as the person."""
FLOOR = 0.05
"""Lowest score that is looked at."""
THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5)


def session(path: Path) -> onnxruntime.InferenceSession:
    """A session on one thread, as the product opens it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def truth(path: Path) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
    """Boxes by frame: those that count, and those (confidence 0) that are neither right nor wrong to find."""
    counted, ignored = defaultdict(list), defaultdict(list)
    for row in csv.reader(path.open()):
        frame, (x, y, w, h, sure) = int(row[0]), map(float, row[2:7])
        (counted if sure else ignored)[frame].append((x, y, x + w, y + h))
    return ({f: np.array(b) for f, b in counted.items()}, {f: np.array(b) for f, b in ignored.items()})


def look(
    model: onnxruntime.InferenceSession, picture: Image.Image, size: tuple[int, int]
) -> tuple[heads.Decoded, float]:
    """Persons (class 0) in source pixels after suppression, and the seconds that the model took."""
    canvas, box = prepare.letterbox(picture, size)
    tensor = prepare.tensor(canvas)
    names = [output.name for output in model.get_outputs()]
    began = time.perf_counter()
    outputs = dict(zip(names, model.run(names, {"input": tensor})))
    took = time.perf_counter() - began
    boxes, scores, classes = heads.suppress(
        heads.nanodet(outputs, size, person.STRIDES, person.BINS, FLOOR), person.NMS_IOU
    )
    people = classes == 0
    return (boxes[people] / box.scale, scores[people], classes[people]), took


def matches(decoded: heads.Decoded, counted: np.ndarray, ignored: np.ndarray) -> list[tuple[float, bool]]:
    """(score, right) of each detection of one frame, best first; hits on ignored boxes are left out."""
    found, free = [], np.ones(len(counted), bool)
    boxes, scores, _ = decoded
    for index in np.argsort(-scores):
        overlap = heads.overlap(boxes[index], counted) * free if len(counted) else np.zeros(0)
        if overlap.size and overlap.max() >= MATCH:
            free[overlap.argmax()] = False
            found.append((float(scores[index]), True))
        elif not (len(ignored) and heads.overlap(boxes[index], ignored).max() >= MATCH):
            found.append((float(scores[index]), False))
    return found


def average_precision(found: list[tuple[float, bool]], persons: int) -> float:
    """Area under the precision-recall curve, precision made to fall with recall."""
    right = np.array([hit for _, hit in sorted(found, key=lambda item: -item[0])], float)
    recall = right.cumsum() / persons
    precision = right.cumsum() / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0) * envelope).sum())


def at_threshold(found: list[tuple[float, bool]], persons: int, threshold: float) -> tuple[float, float]:
    """Precision and recall when detections below the threshold are dropped."""
    right = [hit for score, hit in found if score >= threshold]
    return sum(right) / max(len(right), 1), sum(right) / persons


def report(model_path: Path, video_path: Path, truth_path: Path, sizes: list[tuple[int, int]], step: int) -> None:
    """Print a line per input size: AP, milliseconds per look (median), precision and recall at some thresholds."""
    counted, ignored = truth(truth_path)
    model = session(model_path)
    none = np.zeros((0, 4))
    found = {size: [] for size in sizes}
    times = {size: [] for size in sizes}
    persons = 0
    for number, pixels in enumerate(video.frames(video_path), 1):
        if (number - 1) % step:
            continue
        picture = Image.fromarray(pixels)
        persons += len(counted.get(number, none))
        for size in sizes:
            decoded, took = look(model, picture, size)
            found[size] += matches(decoded, counted.get(number, none), ignored.get(number, none))
            times[size].append(took)
    for size in sizes:
        curve = "  ".join(
            "{:.2f}: P {:.3f} R {:.3f}".format(t, *at_threshold(found[size], persons, t)) for t in THRESHOLDS
        )
        print(
            f"{model_path.name} {size[0]}x{size[1]}: AP@0.5 {average_precision(found[size], persons):.4f}, "
            f"{np.median(times[size]) * 1e3:.1f} ms;  {curve}"
        )
