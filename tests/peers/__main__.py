"""`python -m peers`, with `tests` on the path: see docs/benchmarks.md."""

import argparse
import fnmatch
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from eval.replay import ROOT

from .agents import Measured, measure_lares, measure_motion
from .cases import CASES, Case
from .figures import Figures, Round
from .plots import draw
from .processes import MeasureFailed
from .report import Setting, promises, read_json, require_marks, setting, tables, write_json, write_markdown


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("peers", description="What Lares and motion cost on the same cameras.")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="[default: 3]")
    parser.add_argument("--seconds", type=int, default=30, metavar="S", help="of each measurement [default: 30]")
    parser.add_argument("--only", action="append", metavar="GLOB", help="only cases of such a name; repeatable")
    parser.add_argument("--lares", type=Path, default=ROOT / "target/release/lares", metavar="FILE")
    parser.add_argument("--motion", default="motion", metavar="PROGRAM")
    parser.add_argument("--out", type=Path, default=ROOT / "target/peers", metavar="DIR", help="where the results go")
    parser.add_argument("--from", dest="earlier", type=Path, metavar="FILE", help="show a report.json; measure nothing")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the results into this document too")
    args = parser.parse_args()
    if args.rounds < 1 or not 10 <= args.seconds <= 3600:
        parser.error("give at least one round and 10 to 3600 seconds")
    return args


def main() -> int:
    args = arguments()
    if args.markdown:
        require_marks(args.markdown)
    # To be stopped is to clean up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        where, figures = read_json(args.earlier) if args.earlier else run(args)
    except MeasureFailed as error:
        sys.exit(f"peers: {error}")
    except KeyboardInterrupt:
        sys.exit("peers: stopped")
    show(args, where, figures)
    return 0


def run(args: argparse.Namespace) -> tuple[Setting, list[Figures]]:
    cases = [case for case in CASES if not args.only or any(fnmatch.fnmatch(case.name, glob) for glob in args.only)]
    if not cases:
        sys.exit("peers: no case has such a name; there are " + "; ".join(case.name for case in CASES))
    motion = require(args.lares, args.motion, cases)
    # A copy, as somebody may build anew meanwhile.
    with tempfile.TemporaryDirectory(prefix="lares-peers-") as folder:
        lares = Path(shutil.copy2(args.lares, folder))
        return setting(lares, motion, args.seconds, args.rounds), measure_all(lares, motion, cases, args)


def show(args: argparse.Namespace, where: Setting, figures: list[Figures]) -> None:
    for table in tables(figures):
        print("\n" + table.text())
    args.out.mkdir(parents=True, exist_ok=True)
    write_json(args.out / "report.json", where, figures)
    plot = draw(args.out / "benchmarks-motion.svg", figures)
    print(f"\nwritten: {args.out / 'report.json'}, {plot.name}")
    if args.markdown:
        write_markdown(args.markdown, where, figures, Path(shutil.copy(plot, args.markdown.parent)))
    judged = promises(figures)
    # A benchmark reports: on another machine, or a busy one, a broken promise is no failure of the program.
    print(f"peers: {sum(promise.kept for promise in judged)} of {len(judged)} promises kept")


def require(lares: Path, motion: str, cases: list[Case]) -> str:
    """The path of motion; ends with one sentence where something is missing."""
    if not lares.exists():
        sys.exit(f"peers: {lares} is not there: run `make build`")
    for case in cases:
        if not case.video.exists():
            sys.exit(f"peers: {case.video} is not there: `make bench-peers` makes it")
    found = shutil.which(motion)
    if found is None:
        sys.exit(
            "peers: motion, which Lares is compared with, is not installed: `apt install motion` brings it, "
            "and `systemctl disable --now motion` keeps it from starting by itself"
        )
    return found


def measure_all(lares: Path, motion: str, cases: list[Case], args: argparse.Namespace) -> list[Figures]:
    """All cases in each round, and both take turns in being first: what changes slowly weighs on all alike."""
    rounds: dict[Case, list[Round]] = {case: [] for case in cases}
    for number in range(1, args.rounds + 1):
        for case in cases:
            measured: dict[str, Measured] = {}
            for agent in ("lares", "motion") if number % 2 else ("motion", "lares"):
                with tempfile.TemporaryDirectory(prefix="lares-peers-") as folder:
                    if agent == "lares":
                        measured[agent] = measure_lares(lares, case, args.seconds, Path(folder))
                    else:
                        measured[agent] = measure_motion(motion, lares, case, args.seconds, Path(folder))
            one = Round(**measured)
            rounds[case].append(one)
            ratio = one.lares.cpu / one.motion.cpu
            print(
                f"[{number}/{args.rounds}] {case.name}: Lares {one.lares.cpu:.4f}, motion {one.motion.cpu:.4f}, "
                f"ratio {ratio:.2f}, keyframes {one.lares.limits['keyframes']:.4f}",
                flush=True,
            )
    return [Figures(case, rounds[case]) for case in cases]


if __name__ == "__main__":
    sys.exit(main())
