"""What is promised of each kind of clip, and whether the figures keep it."""

from dataclasses import dataclass, field

from .measure import Measured
from .visits import Failure, median, p95, state

# Where a camera keys at least this often, asleep it looks at keyframes only.
FREQUENT_KEYS_S = 2.0
# With rarer keyframes, whoever stays this long is found.
STAYS_S = 4.0
CORRUPTED_FOUND = 0.9


@dataclass(frozen=True)
class Promise:
    clip: str
    promise: str
    measured: str
    kept: bool
    # The visits that broke it, beyond what the matching names already.
    failures: list[Failure] = field(default_factory=list)


def judge(measured: Measured, quick: bool) -> list[Promise]:
    """All promises that apply to a clip. `--quick` is a test: looser gates."""
    clip, matched = measured.clip, measured.matched
    if matched and not matched.visits and clip.group != "quiet":
        return [_none_false(measured)]
    if quick:
        return [_all_found(measured), _none_false(measured)]
    rules = {
        "vtest": _vtest,
        "shared": _one_by_one,
        "samples": _found_and_soon,
        "clean": _found_and_soon,
        "encoding": _found_and_soon,
        "corruption": _corruption,
        "quiet": _quiet,
        "real": lambda measured: [_none_false(measured)],
        "quick": lambda measured: [_all_found(measured), _none_false(measured)],
    }
    # Size scenes show where finding ends: they are reported, and promise nothing.
    return rules[clip.group](measured) if clip.group in rules else []


def at_most(measured: Measured, what: str, value: float | None, bound: float, unit: str, failures=()) -> Promise:
    """A figure that must not exceed a bound; kept where there is nothing to measure."""
    kept = value is None or value <= bound
    shown = "none to measure" if value is None else f"{value:.2f}{unit}"
    return Promise(measured.clip.name, f"{what} <= {bound:g}{unit}", shown, kept, [] if kept else list(failures))


def _vtest(measured: Measured) -> list[Promise]:
    name, boxes = measured.clip.name, measured.boxes
    ap50, identities = boxes.precision.ap50, boxes.tracking.identities
    return [
        Promise(name, "AP@0.5 >= 0.89 (aim 0.91)", f"{ap50:.3f}", ap50 >= 0.89),
        Promise(name, "identities < 24 (19 people)", str(identities), identities < 24),
        at_most(measured, "person runs", measured.runs_per_s, 6, " /s"),
    ]


def _one_by_one(measured: Measured) -> list[Promise]:
    delays = measured.matched.delays_of("all")
    return [
        _all_found(measured),
        _none_false(measured),
        _none_split(measured),
        at_most(measured, "delay median", median(delays), 0.8, " s"),
        at_most(measured, "delay p95", p95(delays), 1.5, " s", _slow(measured, "all", 1.5)),
    ]


def _found_and_soon(measured: Measured) -> list[Promise]:
    interval = measured.key_interval_s or measured.video_s
    if interval <= FREQUENT_KEYS_S:
        asleep = interval + 0.5
        return [
            _all_found(measured),
            _none_false(measured),
            _p95(measured, "asleep", asleep),
            _p95(measured, "awake", 0.6),
        ]
    return [_stayers_found(measured), _none_false(measured), _p95(measured, "all", 3.0)]


def _corruption(measured: Measured) -> list[Promise]:
    found, visits = measured.matched.found, len(measured.matched.visits)
    promise = f"{CORRUPTED_FOUND:.0%} found"
    return [Promise(measured.clip.name, promise, f"{found} of {visits}", found >= CORRUPTED_FOUND * visits)]


def _quiet(measured: Measured) -> list[Promise]:
    per_minute = measured.runs_per_s * 60
    runs = Promise(measured.clip.name, "person runs < 1 /min", f"{per_minute:.2f} /min", per_minute < 1)
    return [_none_false(measured), runs]


def _all_found(measured: Measured) -> Promise:
    found, visits = measured.matched.found, len(measured.matched.visits)
    return Promise(measured.clip.name, "all visits found", f"{found} of {visits}", found == visits)


def _stayers_found(measured: Measured) -> Promise:
    matched = measured.matched
    stay = [delay for visit, delay in zip(matched.visits, matched.delays) if visit.end - visit.start >= STAYS_S]
    found = sum(delay is not None for delay in stay)
    promise = f"all that stay {STAYS_S:g} s found"
    return Promise(measured.clip.name, promise, f"{found} of {len(stay)}", found == len(stay))


def _none_false(measured: Measured) -> Promise:
    false = measured.matched.false
    return Promise(measured.clip.name, "no false incident", str(false), false == 0)


def _none_split(measured: Measured) -> Promise:
    splits = measured.matched.splits
    return Promise(measured.clip.name, "no visit split", str(splits), splits == 0)


def _p95(measured: Measured, kind: str, bound: float) -> Promise:
    name = "delay p95" if kind == "all" else f"delay p95 {kind}"
    return at_most(measured, name, p95(measured.matched.delays_of(kind)), bound, " s", _slow(measured, kind, bound))


def _slow(measured: Measured, kind: str, bound: float) -> list[Failure]:
    matched = measured.matched
    return [
        Failure("slow", visit.start, f"visit {number} ({visit.start:.1f}-{visit.end:.1f} s): told after {delay:.2f} s")
        for number, (visit, delay) in enumerate(zip(matched.visits, matched.delays), start=1)
        if delay is not None and delay > bound and kind in ("all", state(visit))
    ]
