"""What is watched, and what is promised of it."""

from dataclasses import dataclass, field
from pathlib import Path

from eval.replay import ROOT

VIDEOS = ROOT / "samples/video"


@dataclass(frozen=True)
class Bounds:
    """The most CPU seconds per camera second, and how many times what motion and plain keyframes take in that round."""

    cpu: float | None = None
    of_motion: float | None = None
    of_keyframes: float | None = None


@dataclass(frozen=True)
class Case:
    name: str
    file: str
    width: int
    height: int
    cameras: int = 1
    idle: bool = True
    bounds: Bounds = field(default_factory=Bounds)

    @property
    def video(self) -> Path:
        return VIDEOS / self.file

    @property
    def most_memory_mb(self) -> float | None:
        """Promised for cameras of 768x576 on which nothing happens."""
        return 70 + 10 * self.cameras if self.idle and self.width == 768 else None


# All at 10 pictures a second, with a keyframe each 2 s.
CASES = [
    Case("idle 768x576", "idle.mp4", 768, 576, bounds=Bounds(0.0072, 0.40, 1.0)),
    Case("idle 768x576, four cameras", "idle.mp4", 768, 576, cameras=4),
    Case("idle 1080p", "idle-1080p.mp4", 1920, 1080, bounds=Bounds(0.0175, 0.20, 1.4)),
    Case("busy 768x576", "vtest-h264.mp4", 768, 576, idle=False, bounds=Bounds(0.10)),
    Case("busy 1080p", "vtest-1080p.mp4", 1920, 1080, idle=False, bounds=Bounds(0.17)),
]
