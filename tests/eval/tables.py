"""Tables of figures, for a terminal and for Markdown."""

from dataclasses import dataclass

from .clips import GROUPS, Skipped
from .measure import Measured
from .promises import Promise
from .sizes import SizeFigures
from .visits import Failure, median, p95


@dataclass(frozen=True)
class Table:
    title: str
    columns: list[str]
    rows: list[list[str]]
    # So many columns hold words and stand to the left; the others hold figures.
    words: int = 1
    note: str = ""

    def text(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.columns, *self.rows)]
        lines = ["  " + "  ".join(self._aligned(row, widths)).rstrip() for row in [self.columns, *self.rows]]
        return "\n".join([self.title, *lines, *([f"  {self.note}"] if self.note else [])])

    def _aligned(self, row: list[str], widths: list[int]) -> list[str]:
        return [c.ljust(w) if n < self.words else c.rjust(w) for n, (c, w) in enumerate(zip(row, widths))]

    def markdown(self) -> str:
        rule = ["---"] * self.words + ["---:"] * (len(self.columns) - self.words)
        lines = ["| " + " | ".join(line) + " |" for line in [self.columns, rule, *self.rows]]
        return "\n".join([f"### {self.title}", "", *lines, *(["", self.note] if self.note else [])])


def shown(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def all_tables(measured: list[Measured], sizes: dict[int, SizeFigures]) -> list[Table]:
    """Those that have rows."""
    tables = [_vtest(measured)]
    tables += [_visits(group, measured) for group in GROUPS]
    tables += [_empty(measured), _boxes(measured), _sizes(sizes), _costs(measured)]
    return [table for table in tables if table.rows]


def _vtest(measured: list[Measured]) -> Table:
    """The rows are frames: the halves apart, as one may be tuned on."""
    rows = []
    for figures in (m.boxes for m in measured if m.clip.group == "vtest"):
        parts = {"all": figures.precision} | figures.halves
        rows += [[name, str(p.truths), shown(p.ap50, 3), shown(p.ap, 3)] for name, p in parts.items()]
    return Table("Boxes of vtest, by frames", ["frames", "boxes", "AP@0.5", "AP@0.5:0.95"], rows)


VISIT_COLUMNS = ["clip", "visits", "found", "merged", "missed", "split", "false", "false/h", "delay median", "p95"]
VISIT_COLUMNS += ["asleep p95", "awake p95"]


def _visits(group: str, measured: list[Measured]) -> Table:
    rows = [_visit_row(m) for m in measured if m.clip.group == group and m.matched and m.matched.visits]
    return Table(f"Visits: {group}", VISIT_COLUMNS, rows)


def _visit_row(m: Measured) -> list[str]:
    matched = m.matched
    counts = [len(matched.visits), matched.found, matched.merged, matched.missed, matched.splits, matched.false]
    delays = matched.delays_of("all")
    hourly = matched.false / m.empty_hours if m.empty_hours > 0 else None
    figures = [median(delays), *(p95(matched.delays_of(kind)) for kind in ("all", "asleep", "awake"))]
    return [m.clip.name, *map(str, counts), shown(hourly, 1), *map(shown, figures)]


def _empty(measured: list[Measured]) -> Table:
    """Clips in which nobody comes: all that is told is false, and every look at it is wasted."""
    rows = [
        [m.clip.name, f"{m.video_s:.0f}", str(m.matched.false), shown(m.matched.false / m.empty_hours, 1)]
        + [shown(m.runs_per_s * 60, 1)]
        for m in measured
        if m.matched and not m.matched.visits
    ]
    return Table("Nobody there", ["clip", "seconds", "false", "false/h", "person runs/min"], rows)


def _boxes(measured: list[Measured]) -> Table:
    columns = ["clip", "boxes", "AP@0.5", "AP@0.5:0.95", "IDF1", "id switches", "identities", "people"]
    rows = []
    for m in measured:
        if m.boxes and m.boxes.precision:
            p, t = m.boxes.precision, m.boxes.tracking
            row = [m.clip.name, str(p.truths), shown(p.ap50, 3), shown(p.ap, 3), shown(t.idf1, 3)]
            rows.append(row + [str(n) for n in (t.switches, t.identities, t.people)])
    return Table("Boxes and tracks, 5 looks a second", columns, rows)


def _sizes(sizes: dict[int, SizeFigures]) -> Table:
    columns = ["height", "visits", "found", "delay median", "boxes", "AP@0.5", "AP@0.5:0.95"]
    rows = []
    for height, at in sizes.items():
        p = at.precision
        boxes = [str(p.truths), shown(p.ap50, 3), shown(p.ap, 3)] if p else ["-"] * 3
        rows.append([f"{height} %", str(at.visits), str(at.found), shown(at.delay_median), *boxes])
    return Table("By the person's height in percent of the picture", columns, rows)


def _costs(measured: list[Measured]) -> Table:
    columns = ["clip", "seconds", "keyframe each", "person runs/s", "CPU s/s", "of the stream", "of a perfect recorder"]
    rows = []
    for m in measured:
        every = "-" if m.key_interval_s is None else f"{m.key_interval_s:.1f} s"
        cpu = shown(m.cpu_per_s, 4) + ("*" if m.busy else " ")
        row = [m.clip.name, f"{m.video_s:.0f}", every, shown(m.runs_per_s), cpu]
        perfect = "-" if m.upload_of_perfect is None else f"{m.upload_of_perfect:.0%}"
        rows.append([*row, f"{m.upload_of_stream:.0%}", perfect])
    note = "With *, other work ran beside it: cores that are shared give more CPU seconds for the same work."
    busy = any(m.busy for m in measured)
    return Table("Costs per second of video, and bytes uploaded", columns, rows, note=note if busy else "")


def promise_table(promises: list[Promise]) -> Table:
    rows = [[p.clip, p.promise, p.measured, "kept" if p.kept else "BROKEN"] for p in promises]
    return Table("Promises", ["clip", "promise", "measured", "verdict"], rows, words=4)


def failures_of(measured: Measured, promises: list[Promise]) -> list[Failure]:
    """Every visit that went wrong, whether or not a promise broke over it, in time order."""
    failures = list(measured.matched.failures) if measured.matched else []
    failures += [failure for p in promises if p.clip == measured.clip.name for failure in p.failures]
    return sorted(failures, key=lambda failure: failure.at)


def failure_table(measured: list[Measured], promises: list[Promise]) -> Table:
    rows = [[m.clip.name, failure.kind, failure.text] for m in measured for failure in failures_of(m, promises)]
    return Table("Went wrong", ["clip", "kind", "what"], rows, words=3)


def skipped_lines(skipped: list[Skipped]) -> list[str]:
    return [f"skipped: {one.name} because {one.why}" for one in skipped]
