"""What moves or stands in the scene and is nobody: a car, a dog, a bird, a picture of a person."""

import numpy as np

from camera import Exposure, Shake
from light import GREY, Effect, rounded
from scene import ramp


class Brush:
    """A small canvas to draw on, in units of the thing's length; painted at any size."""

    def __init__(self, columns: int, rows: int):
        self.y, self.x = np.mgrid[0:rows, 0:columns].astype(np.float32) / columns
        self.pixel = 1 / columns
        self.luma = np.zeros((rows, columns), np.float32)
        self.blue, self.red = np.full_like(self.luma, GREY), np.full_like(self.luma, GREY)
        self.matte = np.zeros((rows, columns), np.float32)

    def fill(self, shape, luma, blue=GREY, red=GREY, opacity: float = 1.0) -> None:
        """shape: distance from the outline, negative inside."""
        cover = opacity * ramp(-shape, -self.pixel, self.pixel)
        for plane, value in ((self.luma, luma), (self.blue, blue), (self.red, red)):
            plane += cover * (value - plane)
        self.matte = np.maximum(self.matte, cover)

    def limb(self, x0, y0, x1, y1, radius0, radius1):
        """A rod from one place to another, thick and thin: distance from its outline."""
        along_x, along_y = x1 - x0, y1 - y0
        part = ((self.x - x0) * along_x + (self.y - y0) * along_y) / (along_x**2 + along_y**2)
        part = np.clip(part, 0, 1)
        apart = np.hypot(self.x - x0 - part * along_x, self.y - y0 - part * along_y)
        return apart - (radius0 + part * (radius1 - radius0))

    def shape(self, *corners):
        """A convex polygon, corners clockwise: distance from its outline."""
        edges = []
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1]):
            length = np.hypot(x1 - x0, y1 - y0)
            edges.append(((y1 - y0) * (self.x - x0) - (x1 - x0) * (self.y - y0)) / length)
        return np.maximum.reduce(edges)

    def paint(self, picture, left: float, top: float, width: float) -> None:
        """Averages over what falls on a pixel. picture: three planes, changed in place."""
        rows, columns = self.luma.shape
        for index, (plane, source) in enumerate(zip(picture, (self.luma, self.blue, self.red))):
            k = 1 if index == 0 else 2
            scale = columns / width * k
            limit_y, limit_x = plane.shape
            x0, x1 = int(left / k), int((left + width) / k) + 2
            y0, y1 = int(top / k), int((top + width * rows / columns) / k) + 2
            across = _mixing(np.arange(max(x0, 0), min(x1, limit_x)) - left / k, scale, columns)
            down = _mixing(np.arange(max(y0, 0), min(y1, limit_y)) - top / k, scale, rows)
            if not across.size or not down.size:
                continue
            matte = down @ self.matte @ across.T
            colour = down @ (self.matte * source) @ across.T
            target = plane[max(y0, 0) : min(y1, limit_y), max(x0, 0) : min(x1, limit_x)]
            target[:] = target * (1 - matte) + colour + 0.5


def _mixing(places: np.ndarray, scale: float, size: int) -> np.ndarray:
    """[pixel, source pixel]: the part that each source pixel has in each pixel."""
    begin, end = places[:, None] * scale, (places[:, None] + 1) * scale
    source = np.arange(size)
    overlap = np.minimum(end, source + 1) - np.maximum(begin, source)
    return (np.maximum(overlap, 0) / scale).astype(np.float32)


def painted_car(body: tuple[float, float, float]) -> Brush:
    """A saloon from the side, driving left: shaded like a tin under the sky, glossy windows."""
    brush = Brush(400, 165)
    luma, blue, red = body
    x, y = brush.x, brush.y
    shadow = np.hypot((x - 0.5) / 0.5, (y - 0.385) / 0.027) - 1
    brush.fill(shadow * 0.05, 38, opacity=0.75)
    shade = luma * (1.15 - 0.9 * ramp(y, 0.17, 0.36) + 0.25 * np.exp(-(((y - 0.205) / 0.012) ** 2)))
    roof = luma * (1.3 - 1.2 * ramp(y, 0.05, 0.2))
    cabin = brush.shape((0.35, 0.062), (0.66, 0.062), (0.83, 0.19), (0.22, 0.19)) - 0.012
    brush.fill(cabin, roof, blue, red)
    glass = 52 + 80 * ramp(y + 0.25 * x, 0.32, 0.18)
    front = brush.shape((0.365, 0.08), (0.485, 0.08), (0.485, 0.178), (0.265, 0.178))
    brush.fill(front, glass, GREY + 4, GREY - 3)
    rear = brush.shape((0.505, 0.08), (0.64, 0.08), (0.765, 0.178), (0.505, 0.178))
    brush.fill(rear, glass, GREY + 4, GREY - 3)
    bonnet, boot = ((0.03, 0.22), (0.2, 0.182)), ((0.83, 0.18), (0.975, 0.21))
    hull = brush.shape(*bonnet, *boot, (0.98, 0.33), (0.02, 0.33))
    brush.fill(hull - 0.014, shade, blue, red)
    brush.fill(brush.limb(0.03, 0.318, 0.97, 0.318, 0.012, 0.012), 45)
    brush.fill(brush.limb(0.495, 0.19, 0.495, 0.31, 0.0015, 0.0015), shade * 0.6, blue, red)
    brush.fill(brush.limb(0.55, 0.215, 0.58, 0.215, 0.005, 0.005), 190)
    brush.fill(brush.limb(0.035, 0.235, 0.075, 0.23, 0.013, 0.01), 215)
    brush.fill(brush.limb(0.945, 0.235, 0.965, 0.245, 0.014, 0.014), 90, 105, 190)
    for wheel in (0.205, 0.79):
        apart = np.hypot(x - wheel, y - 0.325)
        brush.fill(apart - 0.078, 30)
        brush.fill(apart - 0.062, 22)
        brush.fill(apart - 0.038, 125 - 350 * np.abs(apart - 0.02))
    return brush


class Traffic(Effect):
    """A car comes in, parks for two minutes by the pavement and leaves; others pass meanwhile."""

    LENGTH = 190  # pixels

    def __init__(self, backdrop, _seconds):
        self.backdrop = backdrop
        self.parking = painted_car((105.0, 142.0, 106.0))
        self.passing = painted_car((62.0, 120.0, 158.0))

    def _parked_x(self, time: float) -> float:
        """Brakes to a stop between the seconds 30 and 36, starts at 156."""
        if time < 36:
            return 235 + 25 * max(36 - time, 0.0) ** 2
        return 235 - 22 * max(time - 156, 0.0) ** 2

    def __call__(self, picture, time):
        cars = [(self.parking, self._parked_x(time), 205)]
        for start, speed in ((75, 210), (128, 160), (214, 190), (262, 240)):
            cars.append((self.passing, 780 - speed * (time - start), 236))
        visible = [car for car in cars if -self.LENGTH < car[1] < 768]
        if not visible:
            return picture
        result = tuple(plane.copy() for plane in picture)
        for brush, x, y in visible:
            brush.paint(result, x, y, self.LENGTH)
        foot = max(y for _, _, y in visible) + 0.4 * self.LENGTH
        return _behind(self.backdrop, foot, result)


class Animals(Effect):
    """A dog trots through, three times, and a bird flies by now and then."""

    # Start (s), pixels per second (to the right if positive), row of the paws, length in pixels.
    # And for birds start, pixels per second, row.
    DOGS = ((22, 95, 300, 58), (110, -80, 420, 84), (205, 120, 262, 48))
    BIRDS = (
        (8, 260, 150),
        (60, -310, 90),
        (96, 280, 240),
        (150, -240, 180),
        (190, 330, 60),
        (250, -290, 210),
    )
    POSES = 12

    def __init__(self, backdrop, _seconds):
        self.backdrop = backdrop
        self.gait = [_dog(2 * np.pi * n / self.POSES) for n in range(self.POSES)]
        self.wings = [_bird(2 * np.pi * n / self.POSES) for n in range(self.POSES)]

    def __call__(self, picture, time):
        result = tuple(plane.copy() for plane in picture)
        for start, speed, foot, length in self.DOGS:
            x = _crossing(time - start, speed, length)
            steps = (time - start) * abs(speed) / length * 1.15
            brush = self.gait[int(steps * self.POSES) % self.POSES]
            if -length < x < self.backdrop.width:
                _facing(brush, speed < 0).paint(result, x, foot - 0.76 * length, length)
                result = _behind(self.backdrop, foot, result)
        for start, speed, y in self.BIRDS:
            since = time - start
            x = _crossing(since, speed, 40)
            brush = self.wings[int(since * 3.3 * self.POSES) % self.POSES]
            rise = 18 * np.sin(1.3 * since)
            _facing(brush, speed < 0).paint(result, x, y + rise, 40)
        return result


def _behind(backdrop, foot: float, picture):
    """The picture with what stands before the row `foot` in front again."""
    front = backdrop.before(foot)
    if front is None:
        return picture
    return tuple(
        rounded(plane + front[::k, ::k] * (empty.astype(np.float32) - plane))
        for plane, empty, k in zip(picture, backdrop.planes, (1, 2, 2))
    )


def _crossing(since: float, speed: float, length: float) -> float:
    """The left edge of what sets out beyond the picture's edge; far outside before it does."""
    if since < 0:
        return -1000.0
    return -length + speed * since if speed > 0 else 768 + speed * since


def _facing(brush: Brush, left: bool) -> Brush:
    if not left:
        return brush
    turned = Brush.__new__(Brush)
    for name in ("luma", "blue", "red", "matte"):
        setattr(turned, name, getattr(brush, name)[:, ::-1])
    return turned


def _dog(phase: float) -> Brush:
    """A brown dog from the side, looking right, at one moment of its trot."""
    brush = Brush(240, 190)
    fur = np.random.default_rng(101).normal(0, 9, brush.luma.shape).astype(np.float32)
    coat = 78 - 110 * (brush.y - 0.35) + fur
    colour = GREY - 12, GREY + 14
    for far in (True, False):
        for hip, lag in ((0.25, 0.0), (0.68, np.pi)):
            swing = np.sin(phase + lag + (np.pi if far else 0.0))
            lifted = max(np.cos(phase + lag + (np.pi if far else 0.0)), 0.0)
            knee = hip + 0.06 * swing, 0.58
            paw = hip + 0.13 * swing, 0.745 - 0.05 * lifted
            shade = coat * (0.6 if far else 0.9)
            brush.fill(brush.limb(hip, 0.42, *knee, 0.06, 0.033), shade, *colour)
            brush.fill(brush.limb(*knee, *paw, 0.03, 0.02), shade, *colour)
    brush.fill(brush.limb(0.25, 0.37, 0.45, 0.375, 0.1, 0.085), coat, *colour)
    brush.fill(brush.limb(0.45, 0.375, 0.68, 0.37, 0.085, 0.125), coat, *colour)
    tail = 0.03 * np.sin(2 * phase)
    brush.fill(brush.limb(0.15, 0.31, 0.04, 0.17 + tail, 0.03, 0.014), coat, *colour)
    brush.fill(brush.limb(0.74, 0.3, 0.82, 0.17, 0.08, 0.06), coat, *colour)
    brush.fill(brush.limb(0.83, 0.15, 0.86, 0.16, 0.072, 0.06), coat * 1.05, *colour)
    brush.fill(brush.limb(0.87, 0.175, 0.95, 0.2, 0.045, 0.03), coat * 0.9, *colour)
    brush.fill(brush.limb(0.79, 0.1, 0.765, 0.19, 0.022, 0.03), coat * 0.55, *colour)
    return brush


def _bird(phase: float) -> Brush:
    """A dark bird, flying to the right, at one moment of its wings' beat."""
    brush = Brush(160, 160)
    beat = np.sin(phase)
    brush.fill(brush.limb(0.3, 0.5, 0.68, 0.48, 0.05, 0.06), 45)
    brush.fill(brush.limb(0.7, 0.46, 0.78, 0.46, 0.05, 0.03), 40)
    brush.fill(brush.limb(0.3, 0.5, 0.12, 0.53, 0.035, 0.05), 42)
    for shade, lean in ((50, -0.05), (38, 0.05)):
        tip = 0.42 + lean, 0.5 - 0.36 * beat
        brush.fill(brush.limb(0.5, 0.47, *tip, 0.07, 0.02), shade)
    return brush


class Poster(Effect):
    """A picture of a person stands in the scene from the first moment, under changing light."""

    def __init__(self, backdrop, seconds):
        self.exposure = Exposure(backdrop, seconds)
        self.shake = Shake(backdrop, seconds, most=1.2)

    def offset(self, time):
        return self.shake.offset(time)

    def __call__(self, picture, time):
        return self.shake(self.exposure(picture, time), time)
