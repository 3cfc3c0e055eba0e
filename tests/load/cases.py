"""What is run, and what is promised of it."""

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from eval.replay import ROOT

VIDEOS = ROOT / "samples/video"
# `lares bench` counts CPU after so many seconds; alerts count from the start.
WARM_UP_S = 10
# Nobody is alerted of in the first look, so a visit that begins later than this before the end may be missed.
LATEST_ALERT_S = 5
# In waking.mp4 something moves from here on.
STILL_S = 600


@dataclass(frozen=True)
class Result:
    """One run of `lares bench --json`, and how long after the first movement each camera woke."""

    figures: dict
    wakes: list[float] = field(default_factory=list)

    def __getitem__(self, name: str) -> float:
        return self.figures[name]

    def p95(self, name: str) -> float:
        """In milliseconds; a figure that nothing was measured for breaks its promise."""
        value = self.figures[name]["p95"]
        return float("inf") if value is None else value

    def most(self, name: str) -> float:
        """The longest of all, in milliseconds; a figure that nothing was measured for breaks its promise."""
        value = self.figures[name]["max"]
        return float("inf") if value is None else value

    def limit(self, name: str) -> float:
        return self.figures["limits"][name]


@dataclass(frozen=True)
class Promise:
    """`text` holds where the median of `value` over all rounds is at most `most`, and at least `least`."""

    text: str
    value: Callable[[Result], float]
    digits: int = 0
    unit: str = ""
    most: float = float("inf")
    least: float = float("-inf")


@dataclass(frozen=True)
class Case:
    name: str
    arguments: list
    seconds: int
    promises: list[Promise]
    rounds: int = 1
    cameras: int = 1
    # Whether to read from the log when each camera wakes.
    waking: bool = False


def every_visit(video: str, seconds: int, cameras: int) -> Promise:
    """Each of `cameras` shows the video from its beginning; visits that begin in time for an alert count."""

    def share(result: Result) -> float:
        with (VIDEOS / f"{video}.csv").open() as file:
            begun = [float(row["start_s"]) for row in csv.DictReader(file)]
        visits = cameras * sum(start <= seconds + WARM_UP_S - LATEST_ALERT_S for start in begun)
        return result.figures["alert_latency_ms"]["n"] / visits

    return Promise("alerts for each visit >= 1", share, digits=2, least=1)


def memory(cameras: int, most: int | None = None) -> Promise:
    most = most or 70 + 10 * cameras
    return Promise(f"memory <= {most} MB", lambda r: r["rss_mb"], unit=" MB", most=most)


def threads(most: int) -> Promise:
    return Promise(f"threads <= {most}", lambda r: r["threads"], most=most)


def keyframes(cameras: int, seconds: int) -> list[Promise]:
    """Each keyframe is looked at, within the time to the next one: they come each 2 s."""
    every_s, begun_s = 2, 10
    least = cameras * (seconds - begun_s) // every_s
    return [
        Promise(f"keyframes looked at >= {least}", lambda r: r.figures["wake_ms"]["n"], least=least),
        Promise("keyframe in to its look done, at most 2000 ms", lambda r: r.most("wake_ms"), unit=" ms", most=2000),
    ]


def cpu(most: float) -> Promise:
    return Promise(f"CPU s/s <= {most:.4f}", lambda r: r["cpu_s_per_camera_s"], digits=4, most=most)


def dropped() -> Promise:
    return Promise("no packet dropped", lambda r: r.figures["dropped"]["packets"], most=0)


def alerts(least: int, text: str) -> Promise:
    return Promise(text, lambda r: r.figures["alert_latency_ms"]["n"], least=least)


def latency(most: int) -> Promise:
    text = f"picture in to PUBACK, p95 <= {most} ms"
    return Promise(text, lambda r: r.p95("alert_latency_ms"), unit=" ms", most=most)


def wake(most: int) -> Promise:
    text = f"keyframe in to its look done, asleep, p95 <= {most} ms"
    return Promise(text, lambda r: r.p95("wake_ms"), unit=" ms", most=most)


OF_FULL = "CPU of plain GStreamer decoding everything <= 1.1"
EIGHT, FOUR, FIFTY, HUNDRED, MANY = 8, 4, 50, 100, 250

CASES = [
    Case("idle, 768x576", ["--idle"], 30, [memory(1), wake(100)], rounds=3),
    Case("idle, eight cameras", ["--idle"], 30, [memory(EIGHT)], cameras=EIGHT),
    Case(
        "idle, 1080p and 640x360",
        ["--main", VIDEOS / "idle-1080p.mp4", "--sub", VIDEOS / "idle-360p.mp4"],
        30,
        [cpu(0.014)],
        rounds=3,
    ),
    Case(
        "idle, keyframe each 10 s",
        [VIDEOS / "idle-rare.mp4"],
        60,
        [Promise(OF_FULL, lambda r: r["cpu_s_per_camera_s"] / r.limit("full_decode"), digits=2, most=1.1)],
        rounds=3,
    ),
    Case(
        "idle, a hundred cameras of 640x360",
        [VIDEOS / "idle-360p.mp4"],
        60,
        [cpu(0.0028), memory(HUNDRED, 350), threads(40), dropped(), *keyframes(HUNDRED, 60)],
        cameras=HUNDRED,
    ),
    Case(
        "idle, 250 cameras of 640x360",
        [VIDEOS / "idle-360p.mp4"],
        300,
        [dropped(), *keyframes(MANY, 300)],
        cameras=MANY,
    ),
    Case("busy, 768x576", ["--busy"], 30, [alerts(1, "alerts >= 1"), latency(300)]),
    Case("visits, four cameras", ["--visits"], 300, [alerts(20, "alerts >= 20"), latency(250)], cameras=FOUR),
    Case(
        "visits, eight cameras",
        ["--visits"],
        290,
        [dropped(), every_visit("visits", 290, EIGHT), latency(1000)],
        cameras=EIGHT,
    ),
    Case(
        "fifty cameras that wake at once",
        [VIDEOS / "waking.mp4"],
        STILL_S + 15,
        [
            dropped(),
            Promise("all awake", lambda r: len(r.wakes), least=FIFTY),
            Promise("the last awake after", lambda r: max(r.wakes, default=float("inf")), 1, " s", most=3.0),
        ],
        cameras=FIFTY,
        waking=True,
    ),
]
