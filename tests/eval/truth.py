"""Truth files: visits (CSV with a header) and boxes (MOT challenge lines)."""

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Visit:
    """One time during which somebody is in view: start <= t < end, in seconds from the first frame."""

    start: float
    end: float
    # Seconds without anybody before it; None for the first, before which nobody was ever seen.
    gap: float | None
    # The person's height in percent of the picture's, where the scene was made for that.
    height: float | None = None

    def holds(self, time: float) -> bool:
        return self.start <= time < self.end


def read_visits(path: Path, name: str | None = None) -> list[Visit]:
    """`start_s,end_s` and, where given, `gap_s` and `height`; a gap that is not given follows from the visit before.

    With `name`, only the rows of that video.
    """
    visits: list[Visit] = []
    with path.open(newline="") as lines:
        for row in csv.DictReader(lines):
            if name is not None and row["name"] != name:
                continue
            start, end = float(row["start_s"]), float(row["end_s"])
            gap = _number(row.get("gap_s"))
            if gap is None and visits:
                gap = start - visits[-1].end
            visits.append(Visit(start, end, gap, _percent(row.get("height"))))
    return visits


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _percent(text: str | None) -> float | None:
    """Heights are written as a share (0.07) or in percent (7): nobody is less than 1 % or more than 100 % high."""
    value = _number(text)
    return round(value * 100, 3) if value is not None and value < 1 else value


@dataclass(frozen=True)
class Box:
    """A line of a MOT file: a truth, or what Lares saw."""

    id: int
    x: float
    y: float
    w: float
    h: float
    # Score of a detection; for a truth, 0 means that it is not counted either way.
    score: float

    @property
    def xywh(self) -> tuple[float, float, float, float]:
        return (self.x, self.y, self.w, self.h)


Boxes = dict[int, list[Box]]


def read_boxes(path: Path) -> Boxes:
    """Boxes by frame number, which counts from 1 in the order shown."""
    frames: Boxes = defaultdict(list)
    for line in path.read_text().splitlines():
        frame, identity, x, y, w, h, score, *_ = line.split(",")
        frames[int(frame)].append(Box(int(identity), float(x), float(y), float(w), float(h), float(score)))
    return dict(frames)
