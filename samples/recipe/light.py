"""Light and noise on a whole picture: what several effects share."""

import numpy as np

BLACK, GREY, WHITE = 16, 128, 235


class Effect:
    """Something that happens to every picture of a scene. It returns a new picture and leaves the
    one it gets as it is; what it shows depends on nothing but the time."""

    def __call__(self, picture, time: float):
        raise NotImplementedError

    def offset(self, _time: float) -> tuple[float, float]:
        """How far to the right and down the picture's content is moved."""
        return 0.0, 0.0


def lit(picture, light, colour: float = 1.0, lift: float = 0.0):
    """The picture under other light: a factor, or an array of factors at luma size. `colour` scales
    the saturation further, `lift` adds luma steps."""
    luma, *chroma = picture
    if np.ndim(light) == 0:
        steps = np.arange(256, dtype=np.float32)
        bright = rounded(BLACK + (steps - BLACK) * light + lift)
        tint = rounded(GREY + (steps - GREY) * min(light * colour, 1.5))
        return bright.take(luma), tint.take(chroma[0]), tint.take(chroma[1])
    light = light.astype(np.float32)
    shade = light[::2, ::2] * np.float32(colour)
    bright = rounded((luma - np.float32(BLACK)) * light + np.float32(BLACK + lift))
    return bright, *(rounded((plane - np.float32(GREY)) * shade + GREY) for plane in chroma)


def rounded(plane: np.ndarray) -> np.ndarray:
    """As 8-bit values."""
    return np.clip(plane + 0.5, 0, 255).astype(np.uint8)


def laid_over(plane: np.ndarray, value, alpha: np.ndarray) -> np.ndarray:
    """The plane under a colour; alpha 0..127, so that 16 bits are enough."""
    plane = plane.astype(np.int16)
    return (plane + (((value - plane) * alpha) >> 7)).astype(np.uint8)


def grey(picture):
    """No colour."""
    return picture[0], *(np.full_like(plane, GREY) for plane in picture[1:])


class Wander:
    """A smooth random function of time, about -1 to 1: slow waves on each other."""

    def __init__(self, seed: int, seconds: float, waves: int = 5):
        """`seconds`: the length of the typical wave."""
        rng = np.random.default_rng(seed)
        self.rates = 2 * np.pi / seconds * rng.uniform(0.4, 1.8, waves)
        self.phases = rng.uniform(0, 2 * np.pi, waves)
        self.weight = 1.4 / np.sqrt(waves)

    def __call__(self, time: float) -> float:
        return float(np.sin(self.rates * time + self.phases).sum()) * self.weight


class Spread:
    """Enlarges smooth arrays, drawn at an eighth of the size, to luma size."""

    STEP = 8

    def __init__(self, width: int, height: int):
        self.width, self.height = width, height
        self.rows, self.columns = _weights(height, self.STEP), _weights(width, self.STEP)
        # The places of the coarse pixels in the picture.
        self.y, self.x = np.mgrid[0 : self.rows.shape[1], 0 : self.columns.shape[1]].astype(
            np.float32
        ) * self.STEP

    def __call__(self, coarse: np.ndarray) -> np.ndarray:
        return self.rows @ coarse.astype(np.float32) @ self.columns.T


def _weights(size: int, step: int) -> np.ndarray:
    """[fine, coarse]: how much of each coarse pixel is in each fine one, straight between two."""
    coarse = -(-size // step) + 1
    place = np.arange(size)[:, None] / step
    return np.maximum(1 - np.abs(place - np.arange(coarse)), 0).astype(np.float32)


def blob(shape, x: float, y: float, radius_x: float, radius_y: float | None = None) -> np.ndarray:
    """A round, soft spot of height 1 on a grid (y, x)."""
    grid_y, grid_x = shape
    return np.exp(-(((grid_x - x) / radius_x) ** 2) - ((grid_y - y) / (radius_y or radius_x)) ** 2)


def clouds(rng, rows: int, columns: int, size: int) -> np.ndarray:
    """A random soft field, -1 to 1, with waves about `size` cells long; it tiles seamlessly."""
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns))
    noise = np.fft.rfft2(rng.standard_normal((rows, columns)))
    field = np.fft.irfft2(noise * np.exp(-((frequency * size) ** 2)), s=(rows, columns))
    return (field / np.abs(field).max()).astype(np.float32)
