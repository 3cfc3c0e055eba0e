"""The figures as tables, as JSON and in the documents."""

import hashlib
import json
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from eval.replay import ROOT
from eval.report import machine
from eval.tables import Table

from .agents import Measured
from .cases import CASES
from .figures import LIMITS, Figures, Promise, Round

BEGIN, END = "<!-- peers: begin -->", "<!-- peers: end -->"


@dataclass(frozen=True)
class Setting:
    """Where and with what it was measured."""

    date: str
    machine: str
    kernel: str
    lares: str
    motion: str
    gstreamer: str
    seconds: int
    rounds: int

    def text(self) -> str:
        return (
            f"{self.date}, on {self.machine}, Linux {self.kernel}. {self.lares}; {self.motion}; {self.gstreamer}. "
            f"{self.rounds} rounds of {self.seconds} s each. Written by `peers --markdown`; do not edit."
        )


def setting(lares: Path, motion: str, seconds: int, rounds: int) -> Setting:
    digest = hashlib.sha256(lares.read_bytes()).hexdigest()[:12]
    commit = _first_line(["git", "-C", str(ROOT), "rev-parse", "--short=10", "HEAD"])
    return Setting(
        date=str(date.today()),
        machine=machine(),
        # The number; what builders append says nothing to others.
        kernel=platform.release().partition("-")[0],
        lares=f"{_first_line([str(lares), '--version'])} (checkout {commit}, binary of sha256 {digest})",
        motion=_first_line([motion, "-h"]).partition(",")[0].replace("Version ", ""),
        gstreamer=_line_with("GStreamer", ["gst-launch-1.0", "--version"]),
        seconds=seconds,
        rounds=rounds,
    )


def _lines(command: list[str]) -> list[str]:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.splitlines()


def _first_line(command: list[str]) -> str:
    return next(iter(_lines(command)), "unknown")


def _line_with(word: str, command: list[str]) -> str:
    return next((line for line in _lines(command) if word in line), f"{word} unknown")


def tables(figures: list[Figures]) -> list[Table]:
    return [_cpu(figures), _limits(figures), _memory(figures), _promises(figures)]


def promises(figures: list[Figures]) -> list[Promise]:
    return [promise for one in figures for promise in one.promises()]


def _cpu(figures: list[Figures]) -> Table:
    columns = ["case", "Lares", "motion", "Lares / motion", "load average"]
    rows = [
        [f.case.name, f.lares("cpu").text(4), f.motion("cpu").text(4), f.of_motion.text(2), f.load.text(1)]
        for f in figures
    ]
    note = "Median [least-most] of the rounds. A ratio is of one round. Load: processes that ran or waited for a core."
    return Table("CPU seconds per camera second", columns, rows, note=note)


def _limits(figures: list[Figures]) -> Table:
    columns = ["case", "receive", "and decode keyframes", "and decode everything", "our session receives", "Lares / keyframes"]
    rows = [[f.case.name, *(f.limit(name).text(4) for name in LIMITS), f.of_keyframes.text(2)] for f in figures]
    note = "Of one stream, in processes of their own, while Lares is measured."
    return Table("Plain GStreamer, and our own session alone, on the same stream: CPU seconds per second", columns, rows, note=note)


def _memory(figures: list[Figures]) -> Table:
    columns = ["case", "Lares resident", "motion resident", "Lares proportional", "motion proportional"]
    rows = []
    for f in figures:
        measured = [agent(what) for what in ("rss_mb", "pss_mb") for agent in (f.lares, f.motion)]
        rows.append([f.case.name, *(spread.text(0) for spread in measured)])
    note = "The most seen in a round; median of the rounds. Proportional: pages that processes share count in parts."
    return Table("Memory in MB", columns, rows, note=note)


def _promises(figures: list[Figures]) -> Table:
    rows = [[p.case, p.promise, p.measured, "kept" if p.kept else "BROKEN"] for p in promises(figures)]
    return Table("Promises", ["case", "promise", "measured", "verdict"], rows, words=4)


def write_json(path: Path, where: Setting, figures: list[Figures]) -> None:
    report = {
        "v": 1,
        "setting": asdict(where),
        "cases": [
            {"case": f.case.name, "cameras": f.case.cameras, "rounds": [asdict(one) for one in f.rounds]}
            for f in figures
        ],
        "promises": [asdict(promise) for promise in promises(figures)],
    }
    path.write_text(json.dumps(report, indent=1) + "\n")


def read_json(path: Path) -> tuple[Setting, list[Figures]]:
    """What an earlier run measured, of the cases that there still are."""
    report = json.loads(path.read_text())
    rounds = {case["case"]: [_read_round(one) for one in case["rounds"]] for case in report["cases"]}
    figures = [Figures(case, rounds[case.name]) for case in CASES if case.name in rounds]
    return Setting(**report["setting"]), figures


def _read_round(one: dict) -> Round:
    return Round(Measured(**one["lares"]), Measured(**one["motion"]))


def require_marks(path: Path) -> None:
    """Before the long work, not after it."""
    text = path.read_text() if path.exists() else ""
    if BEGIN not in text or END not in text:
        sys.exit(f"peers: {path} has no lines {BEGIN} and {END} to write between")


def write_markdown(path: Path, where: Setting, figures: list[Figures], plot: Path) -> None:
    """Puts the results between the two marks, and leaves all else as it is."""
    text = path.read_text()
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    picture = f"![CPU seconds per camera second of Lares and motion]({plot.name})"
    parts = [where.text(), picture, *(table.markdown() for table in tables(figures))]
    path.write_text(before + BEGIN + "\n\n" + "\n\n".join(parts) + "\n\n" + END + after)
