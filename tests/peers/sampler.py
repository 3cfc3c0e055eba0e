"""Looks at a running program every few seconds."""

import time
from dataclasses import dataclass

from .processes import Program
from .procfs import Usage, usage

EVERY_S = 5


@dataclass(frozen=True)
class Watched:
    """What a program took over some time."""

    seconds: float
    cpu_s: float
    # The most that was seen.
    rss_mb: float
    pss_mb: float

    @property
    def cpu_per_s(self) -> float:
        return self.cpu_s / self.seconds


def summarise(samples: list[tuple[float, Usage]]) -> Watched:
    """From times in seconds and what was used until then, at least two."""
    (start, first), (end, last) = samples[0], samples[-1]
    return Watched(
        end - start,
        last.cpu_s - first.cpu_s,
        max(used.rss_mb for _, used in samples),
        max(used.pss_mb for _, used in samples),
    )


def watch(program: Program, seconds: float, with_children: bool) -> Watched:
    samples, start = [], time.monotonic()
    while True:
        program.must_run()
        try:
            samples.append((time.monotonic(), usage(program.process.pid, with_children)))
        except (FileNotFoundError, ProcessLookupError):
            program.process.wait(1)
            program.must_run()
        left = start + seconds - time.monotonic()
        if left <= 0:
            return summarise(samples)
        time.sleep(min(EVERY_S, left))
