"""The motion model: a recurrent background subtraction written as an ONNX graph.

Nothing in it is learned. One look compares the luma plane with a background that the caller keeps:

1. light: one gain for the whole picture, found by reweighted means in which cells that do not fit (moving things) or
   are saturated count little; then a field of gains around it, for sun on one side and for the rolling bands of
   mains-driven lamps;
2. foreground: where the difference, averaged over 3x3 pixels, exceeds both a floor and a multiple of the noise seen at
   that pixel so far, for the majority of a 3x3 neighbourhood (which keeps a person two pixels wide, as an opening
   would not);
3. seeds: foreground stays only near pixels that differ from the whole range of the background around them. Leaves, rain
   and a trembling camera move the picture by a pixel and have none; a closing then joins limbs to bodies;
4. update: background pixels follow the picture at `rate`, foreground pixels more slowly, so that a person who stands
   still stays visible and a parked car becomes background in a minute or so. The noise estimate grows slowly where
   things come and go and falls more slowly than the background follows. If more than half of the picture is foreground
   (infra-red switched on, camera turned), that look reports it and takes the picture as the new background.
"""

from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import TensorProto

from . import cards
from .graph import Graph

COARSE = 4
"""Pixels per cell of the grid on which light is estimated."""
NODE = 4
"""Cells per node of the gain field."""
MULTIPLE = COARSE * NODE
"""Height and width must be multiples of this."""
SIZES = [(224, 128), (176, 128), (128, 128), (128, 176), (128, 224), (288, 96)]
"""Input sizes by aspect ratio: 16:9, 4:3, square, the first two upright, and two lenses side by side."""


@dataclass(frozen=True)
class Settings:
    """Levels are on the 0..255 scale of luma, times are multiples of `tau`."""

    black: float = 16.0
    """Black of video range: a gain acts on what is above it."""
    saturated: float = 231.0
    """From here on a pixel says nothing about light."""
    sigmas: float = 3.0
    """Foreground starts at this many standard deviations..."""
    floor: float = 9.0
    """...and at this difference."""
    unrest: float = 6.0
    """The floor rises to so many times the mean misfit when the whole picture is restless, and a seed's floor with it: night
    noise that compression has made coarse cannot be learned pixel by pixel, as it would all be foreground..."""
    unrest_bound: float = 8.0
    """...where a cell adds at most this much to the mean, so that a person hardly raises the floor..."""
    highest_floor: float = 24.0
    """...and no further than this."""
    seed_sigmas: float = 1.5
    """A seed's difference from the range of the background around it starts at this many standard deviations..."""
    seed_floor: float = 4.0
    """...and at this difference."""
    seed_reach: int = 9
    """Side in pixels of the square around a seed in which foreground stays."""
    least_variance: float = 4.0
    most_variance: float = 400.0
    initial_variance: float = 16.0
    tau: float = 15.0
    """Seconds in which the background follows the picture: rate = 1 - exp(-dt / tau)."""
    foreground_slowness: float = 8.0
    """How many times slower foreground becomes background."""
    noise_fall_slowness: float = 8.0
    """How many times slower than the background the noise estimate falls..."""
    noise_rise_slowness: float = 150.0
    """...and how many times slower it takes in foreground."""
    least_gain: float = 0.3
    most_gain: float = 3.0
    field_range: float = 1.35
    """Either part of the gain field stays within this factor."""
    new_scene: float = 0.5
    """Fraction of foreground from which the picture becomes the background at once."""


GLOBAL_TOLERANCES = (30.0, 15.0, 8.0)
"""Misfit (beyond the noise) up to which a cell counts in each pass for the global gain."""
FIELD_TOLERANCES = (15.0, 8.0)
"""The same for the passes of the field."""
FIELD_WINDOW = 3
"""Side of the window of a node's gain, in nodes."""
ROW_WINDOW = 3
"""Height of the window of a row's gain, in cells."""
FAINT = 0.01
"""Weight of a cell that does not fit: keeps the means defined when none does."""
ROW_PULL, NODE_PULL = 0.5, 10.0
"""Strength, in levels times weight, that pulls each part of the field to the global gain where little fits."""


def build(s: Settings = Settings()) -> onnx.ModelProto:
    """The graph, for any height and width that are multiples of `MULTIPLE`.

    In: `luma` u8 (the decoder's Y plane), `background` and `spread` f32 (variance), all [1, 1, height, width]; `rate` f32
    scalar. Out: `background_out`, `spread_out`, `mask` u8 (255 foreground), `score` f32 scalar (fraction of foreground),
    `gain` f32 scalar (light compared with the background).
    """
    g = Graph()
    picture = g.op("Relu", g.sub(g.number("luma"), s.black))
    before = g.op("Relu", g.sub("background", s.black))

    gain, field, unrest = _light(g, s, picture, before)
    power = g.mul(gain, gain)
    square, foreground = _foreground(g, s, picture, g.mul(before, field), g.mul("spread", power), unrest)
    mask = g.sub(1.0, g.highest(g.sub(1.0, g.highest(foreground, 5)), 3))
    g.op("Cast", g.mul(mask, 255.0), name="mask", to=TensorProto.UINT8)
    score = g.mean(mask, name="score")

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
    g.clip(kept, s.least_variance, s.most_variance, name="spread_out")

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


def _foreground(g: Graph, s: Settings, picture: str, expected: str, variance: str, unrest: str) -> tuple[str, str]:
    """The squared smooth difference, and 1.0 where it is foreground near a seed."""

    raised = g.clip(g.mul(unrest, s.unrest), s.floor, s.highest_floor)

    def beyond(reference: str, sigmas: float, floor: float) -> tuple[str, str]:
        smooth = g.box(_difference(g, s, picture, reference), 3)
        square = g.mul(smooth, smooth)
        least = g.mul(raised, floor / s.floor)
        limit = g.op("Max", g.mul(variance, sigmas**2), g.mul(least, least))
        return square, g.less(0.5, g.box(g.less(limit, square), 3))

    lowest = g.op("Neg", g.highest(g.op("Neg", expected), 3))
    within = g.op("Min", g.op("Max", picture, lowest), g.highest(expected, 3))
    _, seeds = beyond(within, s.seed_sigmas, s.seed_floor)
    square, found = beyond(expected, s.sigmas, s.floor)
    return square, g.mul(found, g.highest(seeds, s.seed_reach))


def _light(g: Graph, s: Settings, picture: str, before: str) -> tuple[str, str, str]:
    """The global gain (scalar), the gain of each pixel, and the mean misfit that is left (scalar)."""
    now, then = g.box(picture, COARSE, COARSE), g.box(before, COARSE, COARSE)
    noise = g.mul(g.op("Sqrt", g.box("spread", COARSE, COARSE)), s.sigmas)

    def weight(fitted: str, tolerance: float) -> str:
        """One for cells that fit and are not saturated, `FAINT` more for all."""
        fits = g.less(g.op("Abs", g.sub(now, fitted)), g.add(noise, tolerance))
        clear = g.less(g.op("Max", now, fitted), s.saturated - s.black)
        return g.add(g.mul(fits, clear), FAINT)

    bound = lambda ratio, **k: g.clip(ratio, s.least_gain, s.most_gain, **k)
    gain = bound(g.ratio(g.mean(now), g.mean(then), 1.0))
    for tolerance in GLOBAL_TOLERANCES:
        counted = weight(g.mul(then, gain), tolerance)
        name = {"name": "gain"} if tolerance == GLOBAL_TOLERANCES[-1] else {}
        gain = bound(g.ratio(g.mean(g.mul(counted, now)), g.mean(g.mul(counted, then)), FAINT), **name)

    # The field: gains of rows and, beside them, of windows of nodes, each relative to the global gain.
    near = lambda ratio: g.clip(ratio, 1 / s.field_range, s.field_range)
    of_rows = lambda cells: g.box(g.mean(cells, axes=(3,), keep=True), (ROW_WINDOW, 1))
    of_nodes = lambda cells: g.box(g.box(cells, NODE, NODE), FIELD_WINDOW)
    level = g.mul(then, gain)
    field = gain
    for tolerance in FIELD_TOLERANCES:
        counted = weight(g.mul(then, field), tolerance)
        seen, known = g.mul(counted, now), g.mul(counted, level)
        row = near(g.ratio(of_rows(seen), of_rows(known), ROW_PULL))
        node = near(g.ratio(of_nodes(seen), of_nodes(g.mul(known, row)), NODE_PULL))
        field = g.mul(g.mul(g.enlarge(node, NODE), row), gain)
    left = g.op("Abs", g.sub(now, g.mul(then, field)))
    return gain, g.enlarge(field, COARSE), g.mean(g.op("Min", left, s.unrest_bound))


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
