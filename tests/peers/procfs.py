"""CPU time and memory of a process and its children, out of /proc (proc(5))."""

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Fields of stat after the program's name, which may hold blanks and brackets.
PARENT, USER, SYSTEM, ENDED_USER, ENDED_SYSTEM = 1, 11, 12, 13, 14


@dataclass(frozen=True)
class Stat:
    parent: int
    own_s: float
    # Of children that ended and were waited for.
    ended_s: float


@dataclass(frozen=True)
class Usage:
    cpu_s: float
    rss_mb: float
    # What pages are shared counts in parts.
    pss_mb: float


def parse_stat(text: str) -> Stat:
    fields = text.rpartition(")")[2].split()

    def seconds(*at: int) -> float:
        return sum(int(fields[n]) for n in at) / TICKS_PER_S

    return Stat(int(fields[PARENT]), seconds(USER, SYSTEM), seconds(ENDED_USER, ENDED_SYSTEM))


def parse_memory(rollup: str) -> tuple[float, float]:
    """Resident and proportional memory, from smaps_rollup; of 1024 kB each, as `lares bench` counts."""
    kb = {}
    for line in rollup.splitlines():
        name, _, rest = line.partition(":")
        if name in ("Rss", "Pss"):
            kb[name] = int(rest.split()[0])
    return kb["Rss"] / 1024, kb["Pss"] / 1024


def descendants(root: int, parents: dict[int, int]) -> set[int]:
    """A process and all that it started, directly or not. `parents`: of each process."""
    found, waiting = set(), {root}
    while waiting:
        found |= waiting
        waiting = {pid for pid, parent in parents.items() if parent in waiting} - found
    return found


def family(pid: int, proc: Path = PROC) -> set[int]:
    """A running process and all that it started."""
    return descendants(pid, {other: stat.parent for other, stat in _all_stats(proc).items()})


def usage(pid: int, with_children: bool, proc: Path = PROC) -> Usage:
    """Now.

    Raises `FileNotFoundError` or `ProcessLookupError` when the process has ended.
    """
    stats = {pid: parse_stat((proc / str(pid) / "stat").read_text())}
    family = {pid}
    if with_children:
        stats = _all_stats(proc) | stats
        family = descendants(pid, {other: stat.parent for other, stat in stats.items()})
    cpu = sum(stats[one].own_s + (stats[one].ended_s if with_children else 0) for one in family)
    memory = [parse_memory((proc / str(one) / "smaps_rollup").read_text()) for one in family]
    rss, pss = map(sum, zip(*memory))
    return Usage(cpu, rss, pss)


def _all_stats(proc: Path) -> dict[int, Stat]:
    stats = {}
    for folder in proc.iterdir():
        if folder.name.isdigit():
            try:
                stats[int(folder.name)] = parse_stat((folder / "stat").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue
    return stats
