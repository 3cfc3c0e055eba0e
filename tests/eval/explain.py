"""`--explain`: what `lares replay --explain` says near each failure."""

import re

from .visits import Failure

# Seconds around a failure in which a refusal may have caused it.
NEAR_S = 5.0
# As `src/cli/replay.rs` prints a refusal: `VIDEO  from s to s  what: why`.
SPAN = re.compile(r"\s(-?[\d.]+) s to\s+(-?[\d.]+) s\s+(.*)")


def explain(lines: list[str], failures: list[Failure]) -> dict[Failure, list[str]]:
    """The lines that overlap each failure's surroundings."""
    found = spans(lines)
    return {failure: near(found, failure.at) for failure in failures}


def spans(lines: list[str]) -> list[tuple[float, float, str]]:
    """From when to when, and what was said of it."""
    found = (SPAN.search(line) for line in lines)
    return [(float(span[1]), float(span[2]), span[3]) for span in found if span]


def near(spans: list[tuple[float, float, str]], at: float) -> list[str]:
    return [
        f"{begin:.1f}-{end:.1f} s  {text}" for begin, end, text in spans if begin <= at + NEAR_S and end >= at - NEAR_S
    ]
