"""What can be measured: the project's own samples, the shared labelled clips, the workshop's scenes."""

import json
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

GROUPS = ("vtest", "shared", "real", "samples", "clean", "encoding", "corruption", "negative", "quiet", "size", "quick")


@dataclass(frozen=True)
class Clip:
    name: str
    group: str
    video: Path
    # Visits (CSV) and boxes (MOT). A clip of a group without people needs neither.
    visits: Path | None = None
    boxes: Path | None = None
    # Says what was done to the picture, and at what hour it plays.
    corruption: str | None = None
    light: str | None = None
    quick: bool = False
    # Spans that count neither way, in a file like that of the visits.
    ignored: Path | None = None
    # The video's name in truth files that serve several; None: all rows are its own.
    rows: str | None = None
    # The clip of which it is a copy with more keyframes.
    rekeyed_from: Path | None = None

    @property
    def empty(self) -> bool:
        """Whether nobody comes: every incident is false."""
        return self.group in ("negative", "quiet")

    @property
    def counts_visits(self) -> bool:
        return self.visits is not None or self.empty


@dataclass(frozen=True)
class Skipped:
    name: str
    why: str


def catalogue(
    root: Path, shared: Path, workshop: Path, others: tuple[list["Clip"], list["Skipped"]] = ([], [])
) -> tuple[list[Clip], list[Skipped]]:
    """All clips that are there, and what is not and why. `others`: clips listed elsewhere, to be looked for too."""
    wanted = _shared(root / "samples/video", shared / "data") + others[0] + _samples(root / "samples/video")
    clips, skipped = [], list(others[1])
    if (workshop / "scenes.json").exists():
        wanted += _workshop(workshop)
    else:
        scenes = _short(workshop / "scenes.json", root)
        skipped.append(Skipped("workshop", f"{scenes} is not there: run `make workshop`"))
    for clip in wanted:
        files = [clip.rekeyed_from or clip.video, clip.visits, clip.boxes, clip.ignored]
        absent = [path for path in files if path is not None and not path.exists()]
        if absent:
            skipped.append(Skipped(clip.name, f"{_short(absent[0], root)} is not there"))
        else:
            clips.append(clip)
    return clips, skipped


def _short(path: Path, root: Path) -> Path:
    """As somebody in the checkout would name it."""
    return path.relative_to(root) if path.is_relative_to(root) else path


def chosen(clips: list[Clip], quick: bool, only: list[str] | None) -> list[Clip]:
    """`--quick` takes the scenes marked so; `--only` takes names or groups that fit a pattern."""
    if quick:
        clips = [clip for clip in clips if clip.quick]
    if only:
        clips = [c for c in clips if any(fnmatch(c.name, glob) or fnmatch(c.group, glob) for glob in only)]
    return sorted(clips, key=lambda clip: GROUPS.index(clip.group))


def _shared(samples: Path, data: Path) -> list[Clip]:
    """vtest's boxes number the frames of vtest.avi; the sample is encoded from it frame by frame."""
    one_by_one, tuning = data / "one-by-one", data / "tuning"
    return [
        Clip("vtest", "vtest", samples / "vtest-h264.mp4", boxes=data / "pets09-s2l1/gt.txt"),
        Clip(
            "one-by-one",
            "shared",
            one_by_one / "one-by-one-person-detection.mp4",
            visits=one_by_one / "events.csv",
        ),
        Clip("car-detection", "negative", tuning / "car-detection.mp4"),
        Clip("highway", "negative", tuning / "highway_dvrscan.mp4"),
        Clip("homestreet", "negative", tuning / "homestreet_brightness.avi"),
    ]


def _samples(samples: Path) -> list[Clip]:
    return [
        Clip("visits", "samples", samples / "visits.mp4", visits=samples / "visits.csv"),
        Clip("visits-sub", "samples", samples / "visits-sub.mp4", visits=samples / "visits-main.csv"),
        Clip("idle", "quiet", samples / "idle.mp4"),
    ]


def _workshop(folder: Path) -> list[Clip]:
    """Paths in scenes.json are relative to it."""
    scenes = json.loads((folder / "scenes.json").read_text())
    if isinstance(scenes, dict):
        scenes = scenes["scenes"]

    def path(scene: dict, key: str) -> Path | None:
        return folder / scene[key] if scene.get(key) else None

    return [
        Clip(
            scene["name"],
            scene["group"],
            folder / scene["video"],
            path(scene, "truth"),
            path(scene, "boxes"),
            scene.get("corruption"),
            scene.get("light"),
            bool(scene.get("quick")) or scene["group"] == "quick",
        )
        for scene in scenes
    ]
