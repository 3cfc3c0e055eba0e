"""Rain and snow: layers of drops and flakes at several distances."""

import numpy as np

from light import Effect, Wander, laid_over, lit
from scene import blur


def _splat(field: np.ndarray, x, y, value) -> None:
    """Adds points to a field, each shared by the four pixels around it; the field's edges join."""
    rows, columns = field.shape
    low_x, low_y = np.floor(x).astype(int), np.floor(y).astype(int)
    part_x, part_y = x - low_x, y - low_y
    for dx, weight_x in ((0, 1 - part_x), (1, part_x)):
        for dy, weight_y in ((0, 1 - part_y), (1, part_y)):
            at = ((low_y + dy) % rows, (low_x + dx) % columns)
            np.add.at(field, at, value * weight_x * weight_y)


class Rain(Effect):
    """Drops fall through the whole picture while the shutter is open: streaks, long, wide and faint
    near the lens, short and fine far away. Between two frames a drop falls out of the picture, so
    each frame shows other ones."""

    SLANT = 0.12
    # How many, length and width in pixels, opacity.
    LAYERS = ((1800, 12, 0, 0.36), (560, 30, 0, 0.5), (80, 80, 1, 0.75))
    FIELDS, SPARE, BRIGHT = 16, 128, 205

    def __init__(self, backdrop, _seconds):
        self.width, self.height = backdrop.width, backdrop.height
        rng = np.random.default_rng(21)
        self.fields = [self._field(rng) for _ in range(self.FIELDS)]
        self.gust = Wander(22, 20)

    def _field(self, rng) -> np.ndarray:
        shape = (self.height + self.SPARE, self.width + self.SPARE)
        total = np.zeros(shape, np.float32)
        for count, length, width, opacity in self.LAYERS:
            layer = np.zeros(shape, np.float32)
            x, y = rng.uniform(0, shape[1], count), rng.uniform(0, shape[0], count)
            strength = opacity * rng.uniform(0.4, 1, count)
            lengths = length * rng.uniform(0.6, 1.3, count)
            along = np.linspace(0, 1, length)[:, None]
            # A streak fades in and out, and its points lie closer than the pixels.
            value = strength * np.sin(np.pi * along) ** 0.5 * lengths / length
            _splat(layer, x + self.SLANT * along * lengths, y + along * lengths, value)
            total = np.maximum(total, blur(layer, width) * (1 + width) if width else layer)
        return (np.clip(total, 0, 0.75) * 127).astype(np.int16)

    def __call__(self, picture, time):
        rng = np.random.default_rng(round(time * 1000))
        field = self.fields[rng.integers(self.FIELDS)]
        x, y = rng.integers(self.SPARE, size=2)
        alpha = field[y : y + self.height, x : x + self.width]
        # Wet air: less contrast, in gusts.
        veiled = lit(picture, 0.74 + 0.04 * self.gust(time), colour=0.9, lift=22)
        return laid_over(veiled[0], self.BRIGHT, alpha), *veiled[1:]


class Snow(Effect):
    """Flakes sink and sway, big, blurred and quick near the lens, fine and slow far away."""

    # How many, radius in pixels, fall in pixels per second, opacity.
    LAYERS = (
        (900, 0.9, 55, 0.75),
        (260, 1.6, 120, 0.8),
        (60, 3.4, 260, 0.7),
        (9, 9.0, 560, 0.45),
    )
    SHUTTER, BRIGHT = 0.02, 228

    def __init__(self, backdrop, _seconds):
        self.width, self.height = backdrop.width, backdrop.height
        rng = np.random.default_rng(31)
        self.layers = [self._layer(rng, *layer[:4]) for layer in self.LAYERS]
        self.sways = [Wander(32 + n, 7) for n in range(len(self.LAYERS))]

    def _layer(self, rng, count, radius, fall, opacity) -> np.ndarray:
        rows, columns = int(self.height * 1.3), int(self.width * 1.2)
        layer = np.zeros((rows, columns), np.float32)
        reach = int(3 * radius) + 1
        streak = fall * self.SHUTTER
        y, x = np.mgrid[-reach - int(streak) : reach + 1, -reach : reach + 1]
        for at_x, at_y in zip(rng.uniform(0, columns, count), rng.uniform(0, rows, count)):
            size = radius * rng.uniform(0.7, 1.3)
            above = np.clip(y - at_y % 1, -streak, 0)
            apart = np.hypot(x - at_x % 1, y - at_y % 1 - above)
            flake = np.exp(-((apart / size) ** 2)) * opacity / (1 + streak / (4 * size))
            window = np.ix_((y[:, 0] + int(at_y)) % rows, (x[0] + int(at_x)) % columns)
            layer[window] = np.maximum(layer[window], flake)
        return (np.tile(layer, (2, 2)) * 127).astype(np.uint8)

    def __call__(self, picture, time):
        alphas = []
        for layer, sway, (_, radius, fall, _) in zip(self.layers, self.sways, self.LAYERS):
            rows, columns = layer.shape[0] // 2, layer.shape[1] // 2
            y = int(-fall * time) % rows
            x = int(12 * radius * sway(time) - 0.25 * fall * time) % columns
            alphas.append(layer[y : y + self.height, x : x + self.width])
        alpha = np.maximum.reduce(alphas)
        pale = lit(picture, 0.78, colour=0.75, lift=30)
        return laid_over(pale[0], self.BRIGHT, alpha), *pale[1:]
