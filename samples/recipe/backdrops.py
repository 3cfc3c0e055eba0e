"""The empty scene in other shapes than vtest's own."""

import subprocess

import numpy as np

from light import rounded
from scene import HEIGHT, WIDTH, blur, planes, ramp
from stage import POST_FOOT, Backdrop, Occluder, person_height, plain_backdrop

# A hedge on the edge of the lawn: left, top, right, foot. It wears the lawn's texture.
HEDGE = (88, 214, 206, 268)


def hedge_backdrop(background: np.ndarray) -> Backdrop:
    """With a hedge to walk behind."""
    plain = plain_backdrop(background)
    x0, y0, x1, y1 = HEDGE
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    rough = blur(np.random.default_rng(11).normal(0, 9, (HEIGHT, WIDTH)), 1)
    edge = np.minimum.reduce([x - x0, x1 - x, y1 - y, y - y0])
    mask = ramp(edge + rough, 1, 4)
    # Light from above, darker towards the foot, and leaves coarser than the lawn's grass.
    shade = 0.95 - 0.6 * ramp(y, y0, y1) + rough / 14
    hedged = []
    for index, plane in enumerate(plain.planes):
        k = 1 if index == 0 else 2
        lawn = np.roll(plane, (-150 // k, 60 // k), (0, 1)).astype(np.float32)
        leaves = lawn * (shade if k == 1 else 1.0)
        hedged.append(rounded(plane + mask[::k, ::k] * (leaves - plane)))
    return Backdrop(tuple(hedged), [*plain.occluders, Occluder(mask, y1)])


# The 16:9 part of vtest that fills a large picture.
LARGE_WIDTH, LARGE_HEIGHT, LARGE_TOP = 1920, 1080, 72
LARGE_SCALE = LARGE_WIDTH / WIDTH


def large_backdrop(background: np.ndarray) -> Backdrop:
    """1920x1080: sharply enlarged, with the fine texture that a small picture cannot hold."""
    crop = f"crop={WIDTH}:{WIDTH * 9 // 16}:0:{LARGE_TOP}"
    scale = f"scale={LARGE_WIDTH}:{LARGE_HEIGHT}:flags=lanczos"
    luma, *chroma = planes(
        _filtered(background, f"{crop},{scale},unsharp=5:5:0.8"), LARGE_WIDTH, LARGE_HEIGHT
    )
    rng = np.random.default_rng(12)
    fine = rng.normal(0, 5, luma.shape) + blur(rng.normal(0, 12, luma.shape), 1)
    # Rough where vtest is rough.
    detail = np.abs(luma - blur(luma, 3))
    textured = rounded(luma + fine * ramp(blur(detail, 6), 0.0, 8.0))
    post = plain_backdrop(background).occluders[0].mask
    colourless = np.full(WIDTH * HEIGHT // 2, 128, np.uint8)
    small = np.concatenate([rounded(post * 255).ravel(), colourless])
    mask = planes(_filtered(small, f"{crop},{scale}"), LARGE_WIDTH, LARGE_HEIGHT)[0] / 255
    foot = (POST_FOOT - LARGE_TOP) * LARGE_SCALE
    return Backdrop((textured, *chroma), [Occluder(mask.astype(np.float32), foot)])


def _filtered(raw: np.ndarray, filters: str) -> np.ndarray:
    """One raw picture through ffmpeg's filters."""
    command = ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p"]
    command += ["-s", f"{WIDTH}x{HEIGHT}", "-i", "-", "-vf", filters]
    command += ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    done = subprocess.run(command, input=raw.tobytes(), check=True, stdout=subprocess.PIPE)
    return np.frombuffer(done.stdout, np.uint8)


# Where the picture of a person stands: who, the row of the feet, x.
POSTER = ("bald", 352, 560.0)


def poster_backdrop(background: np.ndarray, walkers) -> Backdrop:
    """With a life-size picture of a person on the pavement, like a shop's cardboard figure."""
    plain = plain_backdrop(background)
    picture = tuple(plane.copy() for plane in plain.planes)
    who, foot, x = POSTER
    walkers[who].paint(picture, walkers[who].rest, x, foot, person_height(foot))
    return Backdrop(picture, plain.occluders)


def backdrop(name: str, background: np.ndarray, walkers) -> Backdrop:
    if name == "poster":
        return poster_backdrop(background, walkers)
    plain = {"plain": plain_backdrop, "hedge": hedge_backdrop, "large": large_backdrop}
    return plain[name](background)
