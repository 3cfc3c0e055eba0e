"""Picture to input tensor, as the product does it: the reference for letterbox and layout."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

PAD = 114
"""Grey of the empty part of a letterbox."""
MEAN = (103.53, 116.28, 123.675)
"""Mean of blue, green and red over ImageNet, 0..255: what NanoDet was trained with."""
STD = (57.375, 57.12, 58.395)
"""Standard deviation of blue, green and red."""


@dataclass(frozen=True)
class Letterbox:
    """Where the picture lies in the input: top left, `width` x `height` pixels of it, shrunk by `scale`."""

    scale: float
    width: int
    height: int


def fit(source: tuple[int, int], size: tuple[int, int]) -> Letterbox:
    """The largest copy of `source` (width, height) in `size` that keeps the aspect ratio."""
    scale = min(size[0] / source[0], size[1] / source[1])
    return Letterbox(scale, round(source[0] * scale), round(source[1] * scale))


def letterbox(picture: Image.Image, size: tuple[int, int]) -> tuple[Image.Image, Letterbox]:
    """Shrink by the antialiasing bilinear filter and pad right and below."""
    box = fit(picture.size, size)
    canvas = Image.new("RGB", size, (PAD, PAD, PAD))
    canvas.paste(picture.convert("RGB").resize((box.width, box.height), Image.Resampling.BILINEAR), (0, 0))
    return canvas, box


def tensor(picture: Image.Image) -> np.ndarray:
    """[1, 3, height, width] uint8, BGR. The person models normalise inside."""
    return np.ascontiguousarray(np.asarray(picture)[:, :, ::-1].transpose(2, 0, 1)[None])


def nearest(source: tuple[int, int], sizes: list[tuple[int, int]]) -> tuple[int, int]:
    """The input size nearest to the source in aspect ratio (by the ratio of the ratios)."""
    aspect = source[0] / source[1]
    return min(sizes, key=lambda size: abs(np.log(size[0] / size[1] / aspect)))
