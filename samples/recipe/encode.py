"""ffmpeg, as a camera's encoder: constant keyframe interval, no scene cuts, a bit rate like a camera's."""

import subprocess
from pathlib import Path

from scene import FPS, HEIGHT, WIDTH


def noise(luma: int, chroma: int) -> str:
    """A filter that adds temporal noise: a standard deviation of the strength by the root of three."""
    return f"noise=c0s={luma}:c0f=t:c1s={chroma}:c1f=t:c2s={chroma}:c2f=t"


# As of a sensor in daylight: a standard deviation of about two luma steps.
NOISE = noise(4, 2)

# With two threads or more, x264's rate control depends on which is faster: the same recipe gave other bytes each time, and
# the tracker one identity more or less.
THREADS = "1"


def ffmpeg(*arguments, **options):
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, **options)


def require_encoders(*names: str) -> None:
    listing = subprocess.run(
        ["ffmpeg", "-v", "error", "-encoders"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split()
    missing = [name for name in names if name not in listing]
    if missing:
        raise SystemExit(
            f"samples: this ffmpeg has no {' and no '.join(missing)}: "
            "put the distribution's own ffmpeg first in PATH"
        )


def h264(
    kbit: int,
    keyframe_s: float = 2,
    b_frames: int = 0,
    fps: float = FPS,
    rate: list[str] | None = None,
    preset: str = "veryfast",
) -> list[str]:
    """H.264 as cameras send it. 8-bit 4:2:0. `rate`: other arguments that say the bit rate."""
    interval = str(round(keyframe_s * fps))
    usual = ["-b:v", f"{kbit}k", "-maxrate", f"{kbit * 3 // 2}k", "-bufsize", f"{kbit * 2}k"]
    return [
        *("-c:v", "libx264", "-preset", preset, "-threads", THREADS, "-pix_fmt", "yuv420p"),
        *("-g", interval, "-keyint_min", interval, "-sc_threshold", "0", "-bf", str(b_frames)),
        *(rate or usual),
    ]


def constant_rate(kbit: int) -> list[str]:
    """No picture may wait for more than half a second of bits, and missing bits are filled up."""
    return [
        *("-b:v", f"{kbit}k", "-minrate", f"{kbit}k", "-maxrate", f"{kbit}k"),
        *("-bufsize", f"{kbit // 2}k", "-x264-params", "nal-hrd=cbr"),
    ]


def constant_quality(kbit: int) -> list[str]:
    """As many bits as the picture asks for, up to four times the usual rate."""
    return ["-crf", "25", "-maxrate", f"{kbit * 4}k", "-bufsize", f"{kbit * 8}k"]


def h265(kbit: int, keyframe_s: int = 2) -> list[str]:
    """H.265 with open GOPs (libx265's habit): pictures after a keyframe may lean on the GOP before."""
    interval = keyframe_s * FPS
    return [
        *("-c:v", "libx265", "-preset", "superfast", "-pix_fmt", "yuv420p", "-tag:v", "hvc1"),
        *("-b:v", f"{kbit}k", "-x265-params"),
        f"keyint={interval}:min-keyint={interval}:scenecut=0:open-gop=1:bframes=3:b-adapt=0"
        f":pools={THREADS}:frame-threads=1:log-level=error",
    ]


MP4 = ["-movflags", "+faststart", "-f", "mp4"]


def raw_input(width: int, height: int, fps: float) -> list[str]:
    """The arguments that read our raw pictures from the pipe."""
    size = f"{width}x{height}"
    return ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", str(fps), "-i", "-"]


class Encoder:
    """Takes pictures (three planes) one by one; `outputs` are ffmpeg's arguments after the input."""

    def __init__(self, outputs: list, width: int = WIDTH, height: int = HEIGHT, fps: float = FPS):
        source = raw_input(width, height, fps)
        command = ["ffmpeg", "-v", "error", "-y", *source, *map(str, outputs)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE)

    def __enter__(self):
        return self

    def write(self, picture) -> None:
        self.process.stdin.write(b"".join(plane.tobytes() for plane in picture))

    def __exit__(self, kind, *_):
        self.process.stdin.close()
        if self.process.wait() != 0 and kind is None:
            raise subprocess.CalledProcessError(self.process.returncode, "ffmpeg")


def repeat(loop: Path, times: int, target: Path) -> None:
    """Joins an H.264 stream without B-frames to itself, without encoding it again.

    It goes through a raw stream, which has no times: ffmpeg then counts the frames, so that the
    joins are as even as the rest.
    """
    raw = loop.with_suffix(".h264")
    with raw.open("wb") as joined:
        for _ in range(times):
            ffmpeg("-i", loop, "-c", "copy", "-f", "h264", "-", stdout=joined)
    ffmpeg("-r", FPS, "-f", "h264", "-i", raw, "-c", "copy", *MP4, target)
    raw.unlink()
