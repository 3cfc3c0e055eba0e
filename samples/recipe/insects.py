"""Insects in the light of the camera's infrared lamps."""

import numpy as np

from light import Effect, laid_over
from night import Infrared


class Insects(Effect):
    """Flies and moths in the light of the camera's infrared lamps: bright, out of focus, smeared by
    their flight; some crawl over the glass, with rests."""

    SHUTTER, SUBSTEPS = 0.06, 4

    def __init__(self, backdrop, seconds):
        self.infrared = Infrared(backdrop, seconds)
        self.width, self.height = backdrop.width, backdrop.height
        rng = np.random.default_rng(81)
        flights = [_Flight(rng, start, self) for start in np.cumsum(rng.exponential(1.6, 400))]
        crawls = [_Crawl(rng, start, self) for start in np.cumsum(rng.uniform(14, 34, 40))]
        self.insects = [insect for insect in flights + crawls if insect.start < seconds]

    def __call__(self, picture, time):
        luma, *chroma = self.infrared(picture, time)
        for insect in self.insects:
            if insect.start <= time < insect.start + insect.length:
                self._draw(luma, insect, time - insect.start)
        return luma, *chroma

    def _draw(self, luma: np.ndarray, insect, since: float) -> None:
        moments = since + np.linspace(0, self.SHUTTER, self.SUBSTEPS)
        spots = [insect.at(moment) for moment in moments]
        reach = 2 * insect.radius
        x0, x1 = (int(f(x for x, _ in spots)) for f in (min, max))
        y0, y1 = (int(f(y for _, y in spots)) for f in (min, max))
        x0, x1 = max(x0 - int(reach), 0), min(x1 + int(reach) + 2, self.width)
        y0, y1 = max(y0 - int(reach), 0), min(y1 + int(reach) + 2, self.height)
        if x0 >= x1 or y0 >= y1:
            return
        y, x = np.ogrid[y0:y1, x0:x1]
        total = 0
        for at_x, at_y in spots:
            apart = insect.apart(x - at_x, y - at_y, since)
            # A disc with soft rim: a point of light out of focus.
            total = total + 1 / (1 + np.exp(np.minimum((apart - 1) * 7, 50)))
        alpha = (total / len(spots) * insect.opacity * 127).astype(np.int16)
        luma[y0:y1, x0:x1] = laid_over(luma[y0:y1, x0:x1], insect.bright, alpha)


class _Flight:
    """A loop or two through the picture."""

    def __init__(self, rng, start, picture):
        self.start, self.length = float(start), rng.uniform(0.7, 3.0)
        self.radius = rng.uniform(5, 22)
        self.opacity, self.bright = rng.uniform(0.55, 0.95), int(rng.uniform(180, 234))
        heading, speed = rng.uniform(0, 2 * np.pi), rng.uniform(220, 700)
        self.speed = speed * np.cos(heading), speed * np.sin(heading)
        middle = rng.uniform(0.1, 0.9, 2) * (picture.width, picture.height)
        self.origin = middle - np.array(self.speed) * self.length / 2
        self.turns = rng.uniform(20, 90, 2), rng.uniform(3, 11, 2), rng.uniform(0, 6, 2)
        self.flutter = rng.uniform(8, 20)

    def at(self, since):
        size, rate, phase = self.turns
        straight = self.origin + np.array(self.speed) * since
        return tuple(straight + size * np.sin(rate * since + phase))

    def apart(self, x, y, since):
        """Distance from the middle, 1 at the rim; the wings' beat makes it wide and narrow."""
        wings = 1 + 0.35 * np.sin(2 * np.pi * self.flutter * since)
        return np.hypot(x / (self.radius * wings), y / self.radius)


class _Crawl:
    """A way over the glass: large, blurred, with rests."""

    def __init__(self, rng, start, picture):
        self.start, self.length = float(start), rng.uniform(8, 20)
        self.radius = rng.uniform(24, 44)
        self.opacity, self.bright = rng.uniform(0.6, 0.85), int(rng.uniform(130, 200))
        self.origin = rng.uniform(0.05, 0.95, 2) * (picture.width, picture.height)
        self.heading, self.speed = rng.uniform(0, 2 * np.pi), rng.uniform(12, 40)
        self.bend = rng.uniform(-0.25, 0.25)

    def _way(self, since: float):
        """How far it has walked: it rests for a second of each three."""
        cycle = since % 3
        return self.speed * (since // 3 * 2 + min(cycle, 2.0))

    def at(self, since):
        way = self._way(since)
        turn = self.heading + self.bend * way / 40
        return self.origin[0] + way * np.cos(turn), self.origin[1] + way * np.sin(turn)

    def apart(self, x, y, since):
        turn = self.heading + self.bend * self._way(since) / 40
        along = (x * np.cos(turn) + y * np.sin(turn)) / self.radius
        aside = (y * np.cos(turn) - x * np.sin(turn)) / (0.6 * self.radius)
        return np.hypot(along, aside)
