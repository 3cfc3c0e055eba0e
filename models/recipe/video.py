"""Frames of a video file through the `ffmpeg` command, for the evaluations."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np

CHANNELS = {"rgb24": 3, "gray": 1}


def size(path: Path) -> tuple[int, int]:
    """Width and height."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height", "-of", "json", str(path)]
    stream = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["streams"][0]
    return stream["width"], stream["height"]


def frames(path: Path, kind: str = "rgb24") -> Iterator[np.ndarray]:
    """Every frame, in order: `rgb24` gives [height, width, 3], `gray` the raw luma plane [height, width]."""
    width, height = size(path)
    # `extractplanes` gives the decoder's Y as it is; `-pix_fmt gray` would stretch it to full range.
    plane = ["-vf", "format=yuv420p,extractplanes=y"] if kind == "gray" else []
    command = ["ffmpeg", "-v", "error", "-threads", "1", "-i", str(path), *plane, "-f", "rawvideo", "-pix_fmt", kind, "-"]
    length = width * height * CHANNELS[kind]
    shape = (height, width, 3) if kind == "rgb24" else (height, width)
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=length) as process:
        while len(data := process.stdout.read(length)) == length:
            yield np.frombuffer(data, np.uint8).reshape(shape)
