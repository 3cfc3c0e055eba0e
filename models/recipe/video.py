"""Frames of a video file through the `ffmpeg` command, for the evaluations."""

import json
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

CHANNELS = {"rgb24": 3, "gray": 1}


def _probe(path: Path, entry: str) -> dict:
    command = [
        "ffprobe",
        "-v",
        "error",
        "-select_streams",
        "v:0",
        "-show_entries",
        f"stream={entry}",
        "-of",
        "json",
        str(path),
    ]
    try:
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"ffprobe cannot read {path} ({error}): install ffmpeg and check the path.")
    return json.loads(output)["streams"][0]


def size(path: Path) -> tuple[int, int]:
    """Width and height."""
    stream = _probe(path, "width,height")
    return stream["width"], stream["height"]


def rate(path: Path) -> float:
    """Frames per second."""
    return float(Fraction(_probe(path, "r_frame_rate")["r_frame_rate"]))


def frames(path: Path, kind: str = "rgb24") -> Iterator[np.ndarray]:
    """Every frame, in order: `rgb24` gives [height, width, 3], `gray` the raw luma plane [height, width]."""
    width, height = size(path)
    # `extractplanes` gives the decoder's Y as it is; `-pix_fmt gray` would stretch it to full range.
    plane = ["-vf", "format=yuv420p,extractplanes=y"] if kind == "gray" else []
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-threads",
        "1",
        "-i",
        str(path),
        *plane,
        "-f",
        "rawvideo",
        "-pix_fmt",
        kind,
        "-",
    ]
    length = width * height * CHANNELS[kind]
    shape = (height, width, 3) if kind == "rgb24" else (height, width)
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=length) as process:
        while len(data := process.stdout.read(length)) == length:
            yield np.frombuffer(data, np.uint8).reshape(shape)
