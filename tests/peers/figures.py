"""From rounds to figures: medians with their spread, ratios within each round, promises."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from .agents import Measured
from .cases import Case

LIMITS = ("receive", "keyframes", "full_decode", "receive_own")


@dataclass(frozen=True)
class Spread:
    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        values = list(values)
        return cls(median(values), min(values), max(values))

    def text(self, digits: int) -> str:
        if digits == 0:
            return f"{self.median:.0f}"
        return f"{self.median:.{digits}f} [{self.least:.{digits}f}-{self.most:.{digits}f}]"


@dataclass(frozen=True)
class Round:
    """Both on the same case, one right after the other."""

    lares: Measured
    motion: Measured


@dataclass(frozen=True)
class Promise:
    case: str
    promise: str
    measured: str
    kept: bool


@dataclass(frozen=True)
class Figures:
    """Of all rounds of a case."""

    case: Case
    rounds: list[Round]

    def lares(self, what: str) -> Spread:
        return Spread.of(getattr(one.lares, what) for one in self.rounds)

    def motion(self, what: str) -> Spread:
        return Spread.of(getattr(one.motion, what) for one in self.rounds)

    def limit(self, name: str) -> Spread:
        return Spread.of(one.lares.limits[name] for one in self.rounds)

    @property
    def of_motion(self) -> Spread:
        """Ratios are taken within a round: what else the machine does weighs on both."""
        return Spread.of(one.lares.cpu / one.motion.cpu for one in self.rounds)

    @property
    def of_keyframes(self) -> Spread:
        return Spread.of(one.lares.cpu / one.lares.limits["keyframes"] for one in self.rounds)

    @property
    def load(self) -> Spread:
        return Spread.of(load for one in self.rounds for load in (one.lares.load, one.motion.load))

    def promises(self) -> list[Promise]:
        bounds = self.case.bounds
        judged = [
            self._at_most("CPU s per camera s", bounds.cpu, self.lares("cpu"), 4),
            self._at_most("CPU, of motion's", bounds.of_motion, self.of_motion, 2),
            self._at_most("CPU, of plain keyframes'", bounds.of_keyframes, self.of_keyframes, 2),
            self._at_most("resident MB", self.case.most_memory_mb, self.lares("rss_mb"), 0),
        ]
        return [promise for promise in judged if promise]

    def _at_most(self, what: str, bound: float | None, found: Spread, digits: int) -> Promise | None:
        """By the median."""
        if bound is None:
            return None
        return Promise(self.case.name, f"{what} <= {bound:g}", found.text(digits), found.median <= bound)
