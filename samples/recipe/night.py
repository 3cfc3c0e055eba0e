"""Scenes with little light: infrared, bare darkness, street lamps."""

import numpy as np

from light import BLACK, GREY, Effect, blob, grey, lit, rounded
from scene import ramp


class Infrared(Effect):
    """The camera's own lamps: no colour, bright in the middle and near, dark at the rim and far
    away; leaves and grass reflect infrared well."""

    def __init__(self, backdrop, _seconds):
        height, width = backdrop.height, backdrop.width
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        beam = blob((y, x), width * 0.5, height * 0.55, width * 0.62, height * 0.75)
        depth = 0.55 + 0.45 * ramp(y / height, 0.0, 0.5)
        self.light = ((0.12 + 0.83 * beam) * depth).astype(np.float32)

    def __call__(self, picture, time):
        luma, blue, red = picture
        green = np.maximum(2 * GREY - blue.astype(np.int16) - red, 0)
        leaves = (green * 0.6).astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
        bright = np.minimum(luma * np.float32(0.85) + leaves + 8, 235) - BLACK
        return grey((rounded(bright * self.light + BLACK + 2), blue, red))


class LowLight(Effect):
    """Far street light: dark, little contrast, hardly any colour. The noise comes with encoding."""

    def __init__(self, backdrop, _seconds):
        height, width = backdrop.height, backdrop.width
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        far = blob((y, x), width * 0.8, height * 0.2, width * 0.7)
        self.light = (0.30 + 0.10 * far).astype(np.float32)

    def __call__(self, picture, time):
        return lit(picture, self.light, colour=0.9, lift=8)


class Dusk(Effect):
    """A night under street lamps with the sensor's gain turned up."""

    def __init__(self, _backdrop, _seconds):
        pass

    def __call__(self, picture, time):
        return lit(picture, 0.5, colour=0.6, lift=4)
