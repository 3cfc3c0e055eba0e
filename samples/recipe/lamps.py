"""Lamps at night: a car's, and the one on the post."""

import numpy as np

from light import Effect, Spread, blob, lit, rounded
from scene import ramp


class Headlights(Effect):
    """Night. Cars come down the road from the upper right and turn away to the left: their lights
    sweep over the ground, glare when they face the camera, and throw the posts' shadows."""

    # Where a car drives: moments (0..1 of its passing), x, y as parts of the picture, and how much
    # the lamps face the camera.
    WAY = np.array(
        [
            (0.0, 1.12, 0.16, 0.5),
            (0.25, 0.97, 0.19, 0.9),
            (0.5, 0.80, 0.29, 1.0),
            (0.7, 0.55, 0.36, 0.45),
            (0.85, 0.25, 0.37, 0.1),
            (1.0, -0.15, 0.36, 0.0),
        ]
    )
    POSTS = ((0.563, 0.68), (0.659, 0.80))  # the feet of lamp post and tripod

    def __init__(self, backdrop, seconds):
        self.width, self.height = backdrop.width, backdrop.height
        self.spread = Spread(self.width, self.height)
        rng = np.random.default_rng(41)
        starts = np.cumsum(rng.uniform(7, 20, int(seconds / 7) + 1))
        self.passings = [
            (start, rng.uniform(2.4, 4.0), rng.uniform(0.8, 1.2))
            for start in starts[starts < seconds]
        ]
        self.night = 0.31 + 0.16 * blob((self.spread.y, self.spread.x), 430, 60, 260, 220)
        self.still = self.spread(self.night)

    def __call__(self, picture, time):
        light, glare = self.night, None
        for start, length, strength in self.passings:
            moment = (time - start) / length
            if 0 <= moment <= 1:
                x, y, facing = (
                    np.interp(moment, self.WAY[:, 0], self.WAY[:, column]) for column in (1, 2, 3)
                )
                ahead_x, ahead_y = (
                    np.interp(moment + 0.12, self.WAY[:, 0], self.WAY[:, column])
                    for column in (1, 2)
                )
                place = x * self.width, y * self.height
                pool = ahead_x * self.width, ahead_y * self.height + 22
                light = light + strength * self._beam(place, pool)
                glare = strength * self._glare(place, facing)
        if glare is None:
            return lit(picture, self.still, colour=0.7)
        luma, *chroma = lit(picture, self.spread(light), colour=0.7)
        return rounded(luma + self.spread(glare)), *chroma

    def _beam(self, place, pool) -> np.ndarray:
        """Light on what lies before the car; less behind a post, seen from the lamps."""
        grid = self.spread.y, self.spread.x
        beam = 0.75 * blob(grid, *pool, 120, 46) + 0.35 * blob(grid, *pool, 330, 120)
        for foot_x, foot_y in self.POSTS:
            post = foot_x * self.width - place[0], foot_y * self.height - place[1]
            far = np.hypot(*post)
            along = ((grid[1] - place[0]) * post[0] + (grid[0] - place[1]) * post[1]) / far
            aside = ((grid[1] - place[0]) * post[1] - (grid[0] - place[1]) * post[0]) / far
            half = 9 * np.maximum(along / far, 0.1)
            beam *= 1 - 0.8 * ramp(along - far, -6, 10) * ramp(half - np.abs(aside), -6, 6)
        return beam

    def _glare(self, place, facing: float) -> np.ndarray:
        grid = self.spread.y, self.spread.x
        near = 0.6 + place[1] / self.height
        lamps = [
            blob(grid, place[0] + side * 17 * near, place[1], 10 * near) for side in (-1, 1)
        ]
        bloom = 0.3 * blob(grid, *place, 90) + 0.14 * blob(grid, *place, 320, 24)
        return 230 * facing * (sum(lamps) + bloom)


class Lamp(Effect):
    """Night. The lamp on the post is switched on, flickering, and off again; the camera then turns
    its gain down or up within a second or two."""

    def __init__(self, backdrop, seconds):
        spread = Spread(backdrop.width, backdrop.height)
        grid = spread.y, spread.x
        cone = blob(grid, 420, 300, 240, 130) + 0.5 * blob(grid, 410, 60, 130, 150)
        self.cone = spread(cone + 0.9 * blob(grid, 425, 30, 16, 9))
        self.times = np.cumsum(np.random.default_rng(51).uniform(6, 16, int(seconds / 6) + 2))

    def _on(self, time: float) -> bool:
        return bool(np.searchsorted(self.times, time, side="right") % 2)

    def _power(self, time: float) -> float:
        """How bright the lamp is: while it starts, it flickers for most of a second."""
        if not self._on(time):
            return 0.0
        since = time - self.times[np.searchsorted(self.times, time, side="right") - 1]
        return 0.15 if since < 0.8 and int(since * 7) % 2 else min(0.6 + since / 4, 1.0)

    def _gain(self, time: float) -> float:
        """The camera's gain follows the light of the last seconds."""
        ages = np.arange(0.2, 3.2, 0.3)
        weights = np.exp(-ages / 0.9)
        seen = sum(weight * self._on(time - age) for age, weight in zip(ages, weights))
        return 1.0 - 0.42 * seen / weights.sum()

    def __call__(self, picture, time):
        light = self._gain(time) * (0.46 + 1.1 * self._power(time) * self.cone)
        return lit(picture, light, colour=0.8)
