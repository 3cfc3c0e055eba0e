"""Puts one clip's figures together."""

from dataclasses import asdict, dataclass, field

from .boxes import Precision, precision
from .clips import Clip
from .probe import Video, perfect_bytes, probe, scoring_grid
from .replay import Job, Lares, ReplayFailed, Run
from .tracks import Tracking, tracking
from .truth import Box, Boxes, read_boxes, read_visits
from .visits import Incident, Matched, empty_hours, match, median, p95

# vtest's halves: the first may be tuned on, the second is reported apart and only scored.
VTEST_HALVES = {"1-397": (1, 397), "398-795": (398, 795)}


@dataclass(frozen=True)
class Replays:
    """One clip's replays: as in the home, and with boxes on the fixed grid."""

    demand: Run
    grid: Run | None

    @property
    def cached(self) -> bool:
        return self.demand.cached and (self.grid is None or self.grid.cached)

    @property
    def cpu_s(self) -> float:
        return sum(run.summary["cpu_s"] for run in (self.demand, self.grid) if run is not None)


def replay(lares: Lares, clip: Clip, boxes: bool = True, config: str | None = None) -> Replays:
    """`boxes`: score boxes too, where the clip has a truth for them."""
    demand = lares.run(Job(clip.video, config=config))
    grid = lares.run(Job(clip.video, boxes=True, config=config)) if boxes and clip.boxes else None
    return Replays(demand, grid)


@dataclass(frozen=True)
class BoxFigures:
    """From the replay with a fixed grid: its costs are not those of a home."""

    precision: Precision | None
    halves: dict[str, Precision]
    tracking: Tracking
    runs_per_s: float
    cpu_per_s: float
    # Truth, what was seen, and the grid, with boxes in percent of the picture: IoU is the same in any unit, and clips
    # of several sizes can be pooled by height.
    truth: Boxes = field(repr=False)
    seen: Boxes = field(repr=False)
    frames: list[int] = field(repr=False)


@dataclass(frozen=True)
class Measured:
    clip: Clip
    video_s: float
    # The longest way between keyframes; None where there is but one.
    key_interval_s: float | None
    matched: Matched | None
    empty_hours: float | None
    runs_per_s: float
    cpu_per_s: float
    stage_cpu_per_s: dict[str, float]
    # Whether other work ran beside the replay, so that the CPU seconds are too high.
    busy: bool
    source_bytes: int
    upload_bytes: int
    # None where nobody comes.
    perfect_bytes: int | None
    boxes: BoxFigures | None
    incidents: list[Incident] = field(repr=False)
    # What `lares replay --explain` said.
    explained: list[str] = field(repr=False)

    @property
    def upload_of_stream(self) -> float:
        return self.upload_bytes / self.source_bytes

    @property
    def upload_of_perfect(self) -> float | None:
        return self.upload_bytes / self.perfect_bytes if self.perfect_bytes else None

    def as_json(self) -> dict:
        """What report.json keeps of a clip."""
        return {
            "name": self.clip.name,
            "group": self.clip.group,
            "corruption": self.clip.corruption,
            "light": self.clip.light,
            "video_s": self.video_s,
            "key_interval_s": self.key_interval_s,
            "visits": self.matched and _visits_json(self.matched, self.empty_hours),
            "runs_per_s": self.runs_per_s,
            "cpu_per_s": self.cpu_per_s,
            "stage_cpu_per_s": self.stage_cpu_per_s,
            "busy": self.busy,
            "source_bytes": self.source_bytes,
            "upload_bytes": self.upload_bytes,
            "perfect_bytes": self.perfect_bytes,
            "boxes": self.boxes and _boxes_json(self.boxes),
        }


def _visits_json(matched: Matched, hours: float) -> dict:
    delays = {
        kind: {"n": len(values), "median": median(values), "p95": p95(values)}
        for kind in ("all", "asleep", "awake")
        for values in [matched.delays_of(kind)]
    }
    return {
        "visits": len(matched.visits),
        "found": matched.found,
        "merged": matched.merged,
        "missed": matched.missed,
        "splits": matched.splits,
        "false": matched.false,
        "empty_hours": hours,
        "delay_s": delays,
        "each": [{**asdict(v), "delay_s": d} for v, d in zip(matched.visits, matched.delays)],
        "failures": [asdict(failure) for failure in matched.failures],
    }


def _boxes_json(boxes: BoxFigures) -> dict:
    return {
        "all": boxes.precision and asdict(boxes.precision),
        "halves": {name: asdict(half) for name, half in boxes.halves.items()},
        "tracking": asdict(boxes.tracking),
        "runs_per_s": boxes.runs_per_s,
        "cpu_per_s": boxes.cpu_per_s,
    }


def measure(clip: Clip, replays: Replays) -> Measured:
    video, summary = probe(clip.video), replays.demand.summary
    seconds = summary["video_s"]
    visits = read_visits(clip.visits, clip.rows) if clip.visits else []
    ignored = read_visits(clip.ignored, clip.rows) if clip.ignored else []
    incidents = [Incident.of(event) for event in replays.demand.events]
    return Measured(
        clip=clip,
        video_s=seconds,
        key_interval_s=video.key_interval_s,
        matched=match(incidents, visits, ignored) if clip.counts_visits else None,
        empty_hours=empty_hours(seconds, visits + ignored) if clip.counts_visits else None,
        runs_per_s=summary["frames"]["person_runs"] / seconds,
        cpu_per_s=summary["cpu_s"] / seconds,
        stage_cpu_per_s={stage: spent / seconds for stage, spent in summary["stage_cpu_s"].items()},
        busy=replays.demand.busy,
        source_bytes=summary["source_bytes"],
        upload_bytes=summary["upload_bytes"],
        perfect_bytes=perfect_bytes(video, visits) if visits else None,
        boxes=_boxes(clip, video, replays.grid) if replays.grid else None,
        incidents=incidents,
        explained=replays.demand.stderr,
    )


def _boxes(clip: Clip, video: Video, run: Run) -> BoxFigures:
    grid = scoring_grid(video)
    off_grid = sorted(set(run.seen) - set(grid))
    if off_grid:
        raise ReplayFailed(f"{clip.video}: --mot has frames off the grid that it promises: {off_grid[:5]}")
    truth, seen = (_in_percent(boxes, video) for boxes in (read_boxes(clip.boxes), run.seen))
    halves = {}
    if clip.group == "vtest":
        for name, (first, last) in VTEST_HALVES.items():
            halves[name] = precision(truth, seen, [frame for frame in grid if first <= frame <= last])
    seconds = run.summary["video_s"]
    return BoxFigures(
        precision(truth, seen, grid),
        halves,
        tracking(truth, seen, grid),
        run.summary["frames"]["person_runs"] / seconds,
        run.summary["cpu_s"] / seconds,
        truth,
        seen,
        grid,
    )


def _in_percent(boxes: Boxes, video: Video) -> Boxes:
    x, y = 100 / video.width, 100 / video.height
    return {
        frame: [Box(b.id, b.x * x, b.y * y, b.w * x, b.h * y, b.score) for b in found] for frame, found in boxes.items()
    }
