"""The motion model: a recurrent background subtraction written as an ONNX graph.

Nothing in it is learned. One look compares the luma plane with a background that the caller keeps:

1. light: one gain for the whole picture, found by reweighted means in which cells that do not fit (moving
   things) or are saturated count little; then a smooth field of gains around it, for light that changes on one
   side only;
2. foreground: where the difference, averaged over 3x3 pixels, exceeds both a floor and a multiple of the noise
   seen at that pixel so far;
3. clean-up: a pixel stays if the majority of its 3x3 neighbours does (this keeps a person two pixels wide,
   which an opening would not), then a closing joins limbs to bodies;
4. update: background pixels follow the picture at `rate`, foreground pixels more slowly, so that a person who
   stands still stays visible and a parked car becomes background in a minute or so. The noise estimate grows
   slowly where things come and go (leaves in the wind) and falls more slowly than the background follows.
   If more than half of the picture is foreground (infra-red switched on, camera turned), that look reports it
   and takes the picture as the new background.
"""

from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import TensorProto

from . import cards
from .graph import Graph

COARSE = 4
"""Pixels per cell of the grid on which the gain is estimated."""
FIELD = 4
"""Cells per node of the gain field."""
MULTIPLE = COARSE * FIELD
"""Height and width must be multiples of this."""
SIZES = [(256, 144), (192, 144), (144, 144), (144, 192), (144, 256), (320, 112)]
"""Input sizes by aspect ratio: 16:9, 4:3, square, the first two upright, and two lenses side by side."""


@dataclass(frozen=True)
class Settings:
    """Levels are on the 0..255 scale of luma."""

    black: float = 16.0
    """Black of video range: a gain acts on what is above it."""
    saturated: float = 231.0
    """From here on a pixel says nothing about light."""
    sigmas: float = 3.0
    """Foreground starts at this many standard deviations..."""
    floor: float = 9.0
    """...and at this difference."""
    least_variance: float = 4.0
    most_variance: float = 400.0
    initial_variance: float = 16.0
    tau: float = 15.0
    """Seconds in which the background follows the picture: rate = 1 - exp(-dt / tau)."""
    foreground_slowness: float = 4.0
    """How many times slower foreground becomes background."""
    noise_fall_slowness: float = 8.0
    """How many times slower than the background the noise estimate falls..."""
    noise_rise_slowness: float = 40.0
    """...and how many times slower it takes in foreground."""
    least_gain: float = 0.3
    most_gain: float = 3.0
    field_range: float = 1.35
    """The gain field stays within this factor of the global gain."""
    new_scene: float = 0.5
    """Fraction of foreground from which the picture becomes the background at once."""


def build(s: Settings = Settings()) -> onnx.ModelProto:
    """The graph, for any height and width that are multiples of `MULTIPLE`.

    In: `luma` u8 (the decoder's Y plane), `background` and `spread` f32 (variance), all [1, 1, height, width];
    `rate` f32 scalar. Out: `background_out`, `spread_out`, `mask` u8 (255 foreground), `score` f32 scalar
    (fraction of foreground), `gain` f32 scalar (light compared with the background).
    """
    g = Graph()
    picture = g.op("Relu", g.sub(g.number("luma"), s.black))
    before = g.op("Relu", g.sub("background", s.black))

    gain, field = _light(g, s, picture, before)
    square = g.op("Pow", g.box(_difference(g, s, picture, g.mul(before, field)), 3), 2.0)
    power = g.mul(gain, gain)
    limit = g.op("Max", g.mul("spread", g.mul(power, s.sigmas**2)), s.floor**2)
    mask, score = _clean(g, g.less(limit, square))

    new_scene = g.less(s.new_scene, score)
    rate = g.op("Max", "rate", new_scene)
    stay = g.sub(1.0, rate)
    slower = lambda factor: g.sub(1.0, g.op("Pow", stay, 1 / factor))
    share = lambda outside, inside: g.add(outside, g.mul(mask, g.sub(inside, outside)))

    # Light is followed everywhere at `rate`, and by the one global gain: a field that fed back into the background
    # under a person would pull it towards that person.
    lit = g.mul(before, gain)
    followed = g.add(g.mul(before, g.add(stay, g.mul(rate, gain))), s.black)
    follow = share(rate, slower(s.foreground_slowness))
    g.add(followed, g.mul(follow, _difference(g, s, picture, lit)), name="background_out")

    learn = share(slower(s.noise_fall_slowness), slower(s.noise_rise_slowness))
    seen = g.add("spread", g.mul(learn, g.sub(g.div(square, power), "spread")))
    kept = g.add(seen, g.mul(new_scene, g.sub(s.initial_variance, seen)))
    g.op("Clip", kept, s.least_variance, s.most_variance, name="spread_out")

    plane = [1, 1, "height", "width"]
    floats, bytes_ = (TensorProto.FLOAT, plane), (TensorProto.UINT8, plane)
    scalar = (TensorProto.FLOAT, [])
    return g.model(
        "motion",
        {"luma": bytes_, "background": floats, "spread": floats, "rate": scalar},
        {"background_out": floats, "spread_out": floats, "mask": bytes_, "score": scalar, "gain": scalar},
    )


def _difference(g: Graph, s: Settings, picture: str, expected: str) -> str:
    """Picture minus expectation, where pixels that are saturated in both do not differ."""
    top = s.saturated - s.black
    return g.sub(g.op("Min", picture, top), g.op("Min", expected, top))


def _light(g: Graph, s: Settings, picture: str, before: str) -> tuple[str, str]:
    """The global gain (scalar) and the gain of each pixel."""
    now, then = g.box(picture, COARSE, COARSE), g.box(before, COARSE, COARSE)
    noise = g.mul(g.op("Sqrt", g.box("spread", COARSE, COARSE)), s.sigmas)
    clip = lambda ratio, low, high, **k: g.op("Clip", ratio, low, high, **k)

    gain = clip(g.div(g.add(g.mean(now), 1.0), g.add(g.mean(then), 1.0)), s.least_gain, s.most_gain)
    for tolerance, last in ((30.0, False), (15.0, False), (8.0, True)):
        fitted = g.mul(then, gain)
        misfit = g.op("Abs", g.sub(now, fitted))
        fits = g.less(misfit, g.add(noise, tolerance))
        clear = g.less(g.op("Max", now, fitted), s.saturated - s.black)
        # The small weight of all cells keeps the means defined when nothing fits.
        weight = g.add(g.mul(fits, clear), 0.01)
        seen, known = g.mul(weight, now), g.mul(weight, then)
        ratio = g.div(g.add(g.mean(seen), 0.01), g.add(g.mean(known), 0.01))
        gain = clip(ratio, s.least_gain, s.most_gain, **({"name": "gain"} if last else {}))

    # The field: the same ratio over a window of 5x5 nodes, pulled towards the global gain where little fits.
    around = lambda cells: g.box(g.box(cells, FIELD, FIELD), 5)
    pull = 10.0
    local = g.div(g.add(around(seen), pull), g.add(g.mul(around(known), gain), pull))
    nodes = g.mul(clip(local, 1 / s.field_range, s.field_range), gain)
    scales = g.constant([1, 1, MULTIPLE, MULTIPLE])
    field = g.op("Resize", nodes, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")
    return gain, field


def _clean(g: Graph, foreground: str) -> tuple[str, str]:
    """Majority filter and closing; returns the mask as 0.0 or 1.0 and its mean. Also makes `mask`."""
    pool = lambda a, side: g.op("MaxPool", a, kernel_shape=[side] * 2, strides=[1, 1], pads=[side // 2] * 4)
    majority = g.less(0.5, g.box(foreground, 3))
    closed = g.sub(1.0, pool(g.sub(1.0, pool(majority, 5)), 3))
    g.op("Cast", g.mul(closed, 255.0), name="mask", to=TensorProto.UINT8)
    return closed, g.mean(closed, name="score")



def card(s: Settings = Settings()) -> dict:
    """The card, without what `cards.write` fills in."""
    return {
        "name": "motion",
        "task": "motion",
        "origin": "Lares' own background subtraction, written as a graph by recipe/motion.py. Nothing in it is learned.",
        "licence": "MIT OR Apache-2.0",
        "precision": "float",
        "input": {
            "name": "luma",
            "layout": "nchw",
            "colour": "luma",
            "type": "uint8",
            "sizes": SIZES,
            "resize": "stretch",
        },
        "head": {
            "kind": "motion",
            "outputs": ["background_out", "spread_out", "mask", "score", "gain"],
            "initial_spread": s.initial_variance,
            "tau_s": s.tau,
            "new_scene": s.new_scene,
        },
    }


def make(target: Path) -> None:
    """Write `motion.onnx` and `motion.toml` into `target`."""
    cards.write(target, build(), card())
