"""The raw material: vtest.avi's frames, its empty background, and what differs between the two.

Pictures are planar YUV 4:2:0 as the encoder wants them: a tuple of three 2-D arrays (luma at full
size, both chroma planes at half size).
"""

import subprocess

import numpy as np

WIDTH, HEIGHT, FPS = 768, 576, 10
FRAME_BYTES = WIDTH * HEIGHT * 3 // 2


def planes(raw: np.ndarray, width: int = WIDTH, height: int = HEIGHT) -> tuple:
    """Cuts one raw frame into views of its planes."""
    luma, chroma = width * height, width * height // 4
    return (
        raw[:luma].reshape(height, width),
        raw[luma : luma + chroma].reshape(height // 2, width // 2),
        raw[luma + chroma :].reshape(height // 2, width // 2),
    )


def read_frames(path) -> np.ndarray:
    """All frames of a video as an array [frame, byte]."""
    command = ["ffmpeg", "-v", "error", "-i", str(path)]
    command += ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    raw = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, FRAME_BYTES)


def median_background(frames: np.ndarray) -> np.ndarray:
    """The scene without people: the median over time of each byte.

    People cross vtest all the time, but no one covers a place for half of it.
    """
    every_fifth = frames[::5]
    background = np.empty(FRAME_BYTES, np.uint8)
    step = 1 << 16
    for start in range(0, FRAME_BYTES, step):
        part = np.ascontiguousarray(every_fifth[:, start : start + step].T)
        middle = part.shape[1] // 2
        part.partition(middle, axis=1)
        background[start : start + step] = part[:, middle]
    return background


def difference(frame: np.ndarray, background: np.ndarray) -> np.ndarray:
    """How far each pixel is from the background, as luma steps; colour counts double."""
    luma, *chroma = [
        np.abs(a.astype(np.int16) - b) for a, b in zip(planes(frame), planes(background))
    ]
    colour = (2 * np.maximum(*chroma)).repeat(2, axis=0).repeat(2, axis=1)
    return np.maximum(luma, colour)


def blur(image: np.ndarray, radius: int, axes=(0, 1)) -> np.ndarray:
    """Mean over 2 * radius + 1 pixels along each of the axes, edges repeated."""
    size = 2 * radius + 1
    for axis in axes:
        pad = [(0, 0), (0, 0)]
        pad[axis] = (radius + 1, radius)
        total = np.cumsum(np.pad(image.astype(np.float32), pad, mode="edge"), axis=axis)
        upper, lower = [slice(None)] * 2, [slice(None)] * 2
        upper[axis], lower[axis] = slice(size, None), slice(None, -size)
        image = (total[tuple(upper)] - total[tuple(lower)]) / size
    return image


def ramp(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, straight between."""
    return np.clip((value - low) / (high - low), 0.0, 1.0)
