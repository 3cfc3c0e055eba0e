"""Makes one scene of the workshop: plays it to the camera and notes the truth."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from backdrops import backdrop
from cast import cast
from encode import MP4, NOISE, Encoder, constant_quality, constant_rate, h264, h265, repeat
from scene import FPS, median_background, read_frames
from stage import Stage
from timetable import Call, schedule
from truth import Boxes, Truth

# A camera's chip does not search long for good motion vectors, and there are hours to encode.
PRESET = "superfast"

# What a scene shows after the last visit.
AFTERWARDS_S = 8


@dataclass(frozen=True)
class Camera:
    """How the camera sends its pictures. irregular: 5 to 25 frames per second, ever changing."""

    fps: float = FPS
    irregular: bool = False
    codec: str = "h264"
    keyframe_s: float = 2
    rate: str = "abr"  # or "cbr" or "vbr"
    kbit: int = 1200
    noise: str = NOISE

    def times(self) -> Iterator[float]:
        for number in itertools.count():
            yield irregular_time(number) if self.irregular else number / self.fps

    def outputs(self) -> list:
        """ffmpeg's arguments for this camera."""
        if self.irregular:
            return ["-vf", f"{self.noise},{IRREGULAR_FILTER}", *IRREGULAR_TIMES, *self._encoder()]
        return ["-vf", self.noise, *self._encoder()]

    def _encoder(self) -> list:
        if self.codec == "h265":
            return h265(self.kbit, self.keyframe_s)
        rates = {"abr": None, "cbr": constant_rate(self.kbit), "vbr": constant_quality(self.kbit)}
        rate = rates[self.rate]
        return h264(self.kbit, self.keyframe_s, fps=self.fps, rate=rate, preset=PRESET)


def irregular_time(number: int) -> float:
    """A frame's moment: slowly from slow to quick and back, with a little jitter."""
    slow_and_quick = 0.06 / 0.21 * (math.cos(0.21 * number) - 1)
    return 0.12 * number - slow_and_quick + 0.008 * math.sin(2.4 * number)


# The same for ffmpeg, and what makes it keep such times to the end.
IRREGULAR_FILTER = (
    "settb=1/90000,setpts=(0.12*N-0.06/0.21*(cos(0.21*N)-1)+0.008*sin(2.4*N))/TB"
)
IRREGULAR_TIMES = [
    *("-vsync", "passthrough", "-enc_time_base", "1:90000", "-video_track_timescale", "90000"),
]


@dataclass(frozen=True)
class Scene:
    """seconds: None is until a while after the last visit. effect: a class of effects. loops: how
    often the film is joined to itself."""

    name: str
    group: str
    calls: tuple[Call, ...] = ()
    seconds: float | None = None
    backdrop: str = "plain"
    corruption: str | None = None
    effect: type | None = None
    light: str = "day"
    camera: Camera = Camera()
    loops: int = 1

    @property
    def files(self) -> list[str]:
        boxes = [f"{self.name}.gt.txt"] if self.calls else []
        return [f"{self.name}.mp4", f"{self.name}.csv", *boxes]


class Studio:
    """What all scenes are made from, made when first asked for."""

    def __init__(self, vtest):
        self.vtest = vtest

    @cached_property
    def material(self):
        frames = read_frames(self.vtest)
        background = median_background(frames)
        return background, cast(frames, background)

    def stage(self, scene: Scene) -> Stage:
        background, walkers = self.material
        empty = backdrop(scene.backdrop, background, walkers)
        return Stage(empty, walkers, schedule(scene.calls, walkers, empty.width))

    def shoot(self, scene: Scene, video, truth_target, boxes_target=None) -> None:
        stage = self.stage(scene)
        seconds = scene.seconds or stage.end() + AFTERWARDS_S
        if scene.loops > 1:
            loop = video.with_suffix(".loop")
            truth, boxes = film(scene, stage, seconds, loop)
            repeat(loop, scene.loops, video)
            loop.unlink()
        else:
            truth, boxes = film(scene, stage, seconds, video)
        height = stage.backdrop.height
        truth_target.write_text(truth.long_csv(height))
        if boxes_target:
            boxes_target.write_text(boxes.text())


def film(scene: Scene, stage: Stage, seconds: float, video) -> tuple[Truth, Boxes]:
    camera = scene.camera
    size = stage.backdrop.width, stage.backdrop.height
    effect = scene.effect(stage.backdrop, seconds) if scene.effect else None
    truth, boxes = Truth(), Boxes(*size)
    with Encoder([*camera.outputs(), *MP4, video], *size, camera.fps) as encoder:
        moments = itertools.takewhile(lambda time: time < seconds, camera.times())
        for number, time in enumerate(moments, 1):
            picture, people = stage.render(time)
            truth.see(time, people)
            boxes.see(number, people, effect.offset(time) if effect else (0.0, 0.0))
            encoder.write(effect(picture, time) if effect else picture)
    return truth, boxes
