"""Matches incidents with visits, by the time at which the household would have been told."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .truth import Visit

# A camera that saw nobody for this long has gone back to sleep: it looks at keyframes only.
ASLEEP_AFTER_S = 20.0
# With so short a gap it is still awake from the visit before.
AWAKE_WITHIN_S = 8.0
# An alert so soon after a visit that nobody was told of is that visit's, too late. It is named so, and counts as false.
LATE_WITHIN_S = 5.0


@dataclass(frozen=True)
class Incident:
    """What `lares replay` printed as an event; times in seconds from the first frame."""

    start: float
    end: float
    alert: float
    score: float

    @classmethod
    def of(cls, event: dict) -> "Incident":
        return cls(event["start_s"], event["end_s"], event["first_alert_s"], event["top_score"])


@dataclass(frozen=True)
class Failure:
    """One thing that went wrong, with the time to look at."""

    kind: str
    at: float
    text: str


@dataclass
class Matched:
    """One clip's incidents against its visits."""

    visits: list[Visit]
    # The delay of each visit's first alert; None where nobody was told.
    delays: list[float | None] = field(default_factory=list)
    splits: int = 0
    merged: int = 0
    missed: int = 0
    false: int = 0
    failures: list[Failure] = field(default_factory=list)

    @property
    def found(self) -> int:
        return sum(delay is not None for delay in self.delays)

    def delays_of(self, kind: str) -> list[float]:
        """Delays of the visits found: `all`, or those to which the camera was surely `asleep` or `awake`."""
        return [d for v, d in zip(self.visits, self.delays) if d is not None and kind in ("all", state(v))]


def state(visit: Visit) -> str:
    """Whether the camera was asleep or awake when the visit began; between the two bounds it may be either."""
    if visit.gap is None or visit.gap >= ASLEEP_AFTER_S:
        return "asleep"
    return "awake" if visit.gap <= AWAKE_WITHIN_S else "either"


def match(incidents: list[Incident], visits: list[Visit], ignored: Sequence[Visit] = ()) -> Matched:
    """An incident belongs to the visit during which its alert left.

    Further incidents of a visit are splits. A visit without any is merged when an incident that was told earlier goes
    on over it, else missed. An alert in no visit is false, unless it left in a span that is `ignored`: a visit over which
    its incident goes on was told at once.
    """
    matched = Matched(visits)
    incidents = sorted(incidents, key=lambda incident: incident.alert)
    for number, visit in enumerate(visits, start=1):
        own = [incident for incident in incidents if visit.holds(incident.alert)]
        if not own and any(_goes_on(i, visit) and _in_any(ignored, i.alert) for i in incidents):
            matched.delays.append(0.0)
            continue
        matched.delays.append(round(own[0].alert - visit.start, 3) if own else None)
        name = shown_visit(number, visit)
        for extra in own[1:]:
            matched.splits += 1
            matched.failures.append(Failure("split", extra.alert, f"{name}: told again at {extra.alert:.1f} s"))
        if not own:
            _unmatched(matched, name, visit, incidents)
    for incident in incidents:
        if not _in_any(visits, incident.alert) and not _in_any(ignored, incident.alert):
            matched.false += 1
            text = f"alert at {incident.alert:.1f} s, score {incident.score:.2f}, nobody there"
            matched.failures.append(Failure("false", incident.alert, text))
    matched.failures.sort(key=lambda failure: failure.at)
    return matched


def shown_visit(number: int, visit: Visit) -> str:
    """As it is named in reports."""
    return f"visit {number} ({visit.start:.1f}-{visit.end:.1f} s)"


def _in_any(spans: Sequence[Visit], time: float) -> bool:
    return any(span.holds(time) for span in spans)


def _goes_on(incident: Incident, visit: Visit) -> bool:
    """Whether it was told before the visit and goes on over its beginning."""
    return incident.alert < visit.start < incident.end


def _unmatched(matched: Matched, name: str, visit: Visit, incidents: list[Incident]) -> None:
    over = [i for i in incidents if _goes_on(i, visit)]
    late = [i for i in incidents if visit.end <= i.alert < visit.end + LATE_WITHIN_S]
    if over:
        matched.merged += 1
        failure = Failure("merged", visit.start, f"{name}: went into that of {over[0].start:.1f}-{over[0].end:.1f} s")
    else:
        matched.missed += 1
        if late:
            failure = Failure("late", visit.start, f"{name}: told {late[0].alert - visit.end:.1f} s after its end")
        else:
            failure = Failure("missed", visit.start, f"{name}: nobody was told")
    matched.failures.append(failure)


def empty_hours(seconds: float, visits: list[Visit]) -> float:
    """Hours of a video in which nobody is in view."""
    return (seconds - sum(visit.end - visit.start for visit in visits)) / 3600


def median(values: list[float]) -> float | None:
    return round(float(np.median(values)), 3) if values else None


def p95(values: list[float]) -> float | None:
    """The smallest measured value that at least 95 % do not exceed: with few visits, the worst."""
    return round(float(np.percentile(values, 95, method="inverted_cdf")), 3) if values else None
