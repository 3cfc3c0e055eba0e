"""report.json, and the results in docs/evaluation.md."""

import json
import os
import platform
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path

from .clips import Skipped
from .measure import Measured
from .promises import Promise
from .sizes import SizeFigures
from .tables import Table, skipped_lines

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def machine() -> str:
    """The processor's name: on Linux, `platform` knows only its kind."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def write_report(
    path: Path,
    lares: str,
    measured: list[Measured],
    sizes: dict[int, SizeFigures],
    promises: list[Promise],
    skipped: list[Skipped],
    comparison: Table | None,
) -> None:
    """`lares`: the sha256 of the binary measured."""
    report = {
        "v": 1,
        "lares_sha256": lares,
        "machine": machine(),
        "clips": [m.as_json() for m in measured],
        "sizes": {height: asdict(figures) for height, figures in sizes.items()},
        "promises": [asdict(promise) for promise in promises],
        "skipped": [asdict(one) for one in skipped],
        "comparison": comparison and asdict(comparison),
    }
    path.write_text(json.dumps(report, indent=1) + "\n")


def require_marks(path: Path) -> None:
    """Before the long work, not after it."""
    text = path.read_text() if path.exists() else ""
    if BEGIN not in text or END not in text:
        sys.exit(f"eval: {path} has no lines {BEGIN} and {END} to write between")


def write_markdown(path: Path, lares: str, tables: list[Table], skipped: list[Skipped]) -> None:
    """Puts the results between the two marks, and leaves all else as it is."""
    text = path.read_text()
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    head = f"{date.today()}, on {machine()}, lares of sha256 {lares[:12]}. Written by `eval --markdown`; do not edit."
    parts = [head, *(table.markdown() for table in tables), *skipped_lines(skipped)]
    path.write_text(before + BEGIN + "\n\n" + "\n\n".join(parts) + "\n\n" + END + after)
