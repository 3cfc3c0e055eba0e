"""Shadows on the ground: of clouds, and of what passes out of sight."""

import numpy as np

from light import Effect, Spread, Wander, clouds, lit
from scene import ramp


class Shadows(Effect):
    """Low sun: clouds draw their shadows over the ground, and the long shadows of poles, trees and
    cars that are out of the picture sweep across it."""

    # Start (s), how long it takes (s), length and width in pixels, slant, row of its middle.
    SWEEPS = (
        (15, 9, 420, 34, 0.35, 380),
        (48, 4, 260, 90, 0.5, 330),
        (80, 40, 500, 60, 0.3, 420),
        (140, 6, 420, 28, -0.4, 360),
        (176, 3, 240, 100, 0.6, 310),
        (205, 45, 520, 80, -0.3, 430),
        (268, 8, 400, 40, 0.4, 350),
    )

    def __init__(self, backdrop, _seconds):
        self.spread = Spread(backdrop.width, backdrop.height)
        rows, columns = self.spread.x.shape
        field = clouds(np.random.default_rng(111), rows, 5 * columns, 44)
        self.sky = np.tile(ramp(field, -0.25, 0.35), (1, 2))
        self.tremble = Wander(112, 3)

    def __call__(self, picture, time):
        rows, columns = self.spread.x.shape
        at, part = int(time * 2.2) % (5 * columns), time * 2.2 % 1
        here, there = self.sky[:, at : at + columns], self.sky[:, at + 1 : at + 1 + columns]
        light = 1.05 - 0.42 * (here + part * (there - here))
        for start, takes, *shadow in self.SWEEPS:
            moment = (time - start) / takes
            if 0 <= moment <= 1:
                light = light * (1 - 0.45 * self._sweep(moment, *shadow, time))
        return lit(picture, self.spread(light))

    def _sweep(self, moment: float, length, width, slant, row, time) -> np.ndarray:
        """A long soft bar on the ground, leaning, wider the farther it falls."""
        middle = -300 + moment * (self.spread.width + 600)
        along = self.spread.y - row
        aside = self.spread.x - middle - slant * along - 3 * self.tremble(time)
        half = width * (0.6 + 0.4 * ramp(along, -length / 2, length / 2))
        return ramp(half - np.abs(aside), -14, 14) * ramp(length / 2 - np.abs(along), -20, 30)
