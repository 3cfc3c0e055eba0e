"""What the camera itself does: exposure, shaking, a clock in the picture."""

import numpy as np

from light import Effect, Spread, Wander, clouds, lit

GLYPHS = {
    "0": "01110 10001 10011 10101 11001 10001 01110",
    "1": "00100 01100 00100 00100 00100 00100 01110",
    "2": "01110 10001 00001 00010 00100 01000 11111",
    "3": "11111 00010 00100 00010 00001 10001 01110",
    "4": "00010 00110 01010 10010 11111 00010 00010",
    "5": "11111 10000 11110 00001 00001 10001 01110",
    "6": "00110 01000 10000 11110 10001 10001 01110",
    "7": "11111 00001 00010 00100 01000 01000 01000",
    "8": "01110 10001 10001 01110 10001 10001 01110",
    "9": "01110 10001 10001 01111 00001 00010 01100",
    "-": "00000 00000 00000 11111 00000 00000 00000",
    ":": "00000 00100 00100 00000 00100 00100 00000",
    " ": "00000 00000 00000 00000 00000 00000 00000",
}


class Exposure(Effect):
    """Automatic exposure hunts in steps, the day's light drifts, and clouds pass."""

    def __init__(self, backdrop, seconds):
        rng = np.random.default_rng(61)
        self.spread = Spread(backdrop.width, backdrop.height)
        self.times = np.cumsum(rng.uniform(5, 18, int(seconds / 5) + 1))
        self.gains = np.concatenate([[1.0], rng.choice([0.65, 0.8, 1.0, 1.12], len(self.times))])
        self.drift = Wander(62, 50)
        rows, columns = self.spread.x.shape
        self.sky = np.tile(clouds(rng, rows, 4 * columns, 30), (1, 2))

    def gain(self, time: float) -> float:
        step = int(np.searchsorted(self.times, time, side="right"))
        begun = self.times[step - 1] if step else -1.0
        part = min((time - begun) / 0.4, 1.0)  # a step takes four tenths of a second
        before = self.gains[max(step - 1, 0)]
        return float(before + part * (self.gains[step] - before)) * (1 + 0.1 * self.drift(time))

    def __call__(self, picture, time):
        rows, columns = self.spread.x.shape
        at = int(time * 3) % (4 * columns)
        part = time * 3 % 1
        here, there = self.sky[:, at : at + columns], self.sky[:, at + 1 : at + 1 + columns]
        shade = 0.96 + 0.2 * (here + part * (there - here))
        return lit(picture, self.spread(self.gain(time) * shade))


class Shake(Effect):
    """Wind shakes the mast: parts of a pixel in a calm, three pixels in a gust."""

    REACH = 4

    def __init__(self, _backdrop, _seconds, most: float = 3.0):
        self.most = most
        self.gust = Wander(71, 9)
        self.sideways, self.upright = Wander(72, 0.7), Wander(73, 0.5)

    def offset(self, time):
        strength = self.most * (0.12 + 0.88 * min(max(0.3 + self.gust(time), 0.0), 1.0) ** 2)
        x, y = strength * self.sideways(time), 0.7 * strength * self.upright(time)
        return tuple(float(np.clip(value, -self.most, self.most)) for value in (x, y))

    def __call__(self, picture, time):
        x, y = self.offset(time)
        return tuple(
            self._moved(plane, x / k, y / k) for plane, k in zip(picture, (1, 2, 2))
        )

    def _moved(self, plane: np.ndarray, x: float, y: float) -> np.ndarray:
        """Bilinear, in 1/128 of a pixel; what comes in at the edges is the edge again."""
        rows, columns = plane.shape
        padded = np.pad(plane, self.REACH, mode="edge")
        left, top = int(np.floor(self.REACH - x)), int(np.floor(self.REACH - y))
        part_x = round((self.REACH - x - left) * 128)
        part_y = round((self.REACH - y - top) * 128)
        wide = padded[top : top + rows + 1, left : left + columns + 1].astype(np.int16)
        tall = wide[:, :-1] + (((wide[:, 1:] - wide[:, :-1]) * part_x) >> 7)
        return (tall[:-1] + (((tall[1:] - tall[:-1]) * part_y) >> 7)).astype(np.uint8)


class Timestamp(Effect):
    """The recorder writes date and time into the picture, white with a dark rim."""

    SCALE, LEFT, TOP = 3, 12, 8

    def __init__(self, _backdrop, _seconds):
        pass

    def __call__(self, picture, time):
        seconds = int(time + 1e-6) + 58 * 60 + 47
        clock = f"{13 + seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        letters = _written(f"2026-03-14 {clock}").repeat(self.SCALE, 0).repeat(self.SCALE, 1)
        luma = picture[0].copy()
        for moved_y, moved_x, value in ((2, 2, 20), (-1, -1, 20), (0, 0, 232)):
            top, left = self.TOP + moved_y, self.LEFT + moved_x
            window = luma[top : top + letters.shape[0], left : left + letters.shape[1]]
            window[letters] = value
        return luma, *picture[1:]


def _written(text: str) -> np.ndarray:
    """Text as pixels, seven high."""
    letters = [
        [[dot == "1" for dot in row + "0"] for row in GLYPHS[letter].split()] for letter in text
    ]
    return np.concatenate(letters, axis=1).astype(bool)
