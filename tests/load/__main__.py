"""`python -m load`, with `tests` on the path: see docs/benchmarks.md."""

import argparse
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import date, datetime
from pathlib import Path
from statistics import median

from eval.replay import ROOT
from eval.report import machine
from eval.tables import Table

from .cases import CASES, STILL_S, WARM_UP_S, Case, Result

BEGIN, END = "<!-- load: begin -->", "<!-- load: end -->"
# For the start and the end of a bench.
MARGIN_S = 90
# The log tells of a camera's first pictures so much later than they began, at most.
LATE_LOG_S = 1
LINE = re.compile(r"^(\S+Z)\s+\S+ (pictures arrive|decoder) camera=(\S+)(.*)")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("load", description="What Lares promises about cost and haste under load.")
    parser.add_argument("--only", action="append", metavar="GLOB", help="only cases of such a name; repeatable")
    parser.add_argument("--lares", type=Path, default=ROOT / "target/release/lares", metavar="FILE")
    parser.add_argument("--out", type=Path, default=ROOT / "target/load", metavar="DIR", help="where the results go")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table into this document too")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    cases = [case for case in CASES if not args.only or any(fnmatch.fnmatch(case.name, glob) for glob in args.only)]
    if not cases:
        sys.exit("load: no case has such a name; there are " + "; ".join(case.name for case in CASES))
    if args.markdown and not {BEGIN, END} <= set(args.markdown.read_text().splitlines()):
        sys.exit(f"load: {args.markdown} has no lines {BEGIN} and {END} to write between")
    missing = [a for case in cases for a in case.arguments if isinstance(a, Path) and not a.exists()]
    if missing or not args.lares.exists():
        sys.exit("load: run `make build samples` and `samples/recipe/bench.py` first")
    args.out.mkdir(parents=True, exist_ok=True)
    # A copy, as somebody may build anew meanwhile.
    with tempfile.TemporaryDirectory(prefix="lares-load-") as folder:
        lares = Path(shutil.copy2(args.lares, folder))
        results = {}
        for number, case in enumerate(cases, 1):
            print(f"[{number}/{len(cases)}] {case.name}: {case.rounds} x {case.seconds + WARM_UP_S} s", flush=True)
            results[case.name] = [measure(lares, case, args.out) for _ in range(case.rounds)]
    rows = [row for case in cases for row in judge(case, results[case.name])]
    table = Table("Promises under load", ["case", "promise", "measured", "verdict"], rows, words=4)
    print("\n" + table.text())
    where = f"{date.today()}, on {machine()}; load average {os.getloadavg()[2]:.1f} in the last quarter of an hour."
    kept = {name: [result.figures | {"wakes_s": result.wakes} for result in of] for name, of in results.items()}
    (args.out / "report.json").write_text(json.dumps({"v": 1, "where": where, "cases": kept}, indent=1) + "\n")
    if args.markdown:
        write_markdown(args.markdown, where, table)
    broken = sum(row[3] != "kept" for row in rows)
    # A benchmark reports: on another machine, or a busy one, a broken promise is no failure of the program.
    print(f"load: {len(rows) - broken} of {len(rows)} promises kept")
    return 0


def measure(lares: Path, case: Case, out: Path) -> Result:
    command = [lares, "bench", "--json", "--cameras", case.cameras, "--seconds", case.seconds, *case.arguments]
    environment = os.environ | {"LARES_LOG": "info,lares::camera=debug"}
    log = out / f"{re.sub('[^a-z0-9]+', '-', case.name)}.log"
    with log.open("w") as errors:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            timeout=case.seconds + WARM_UP_S + MARGIN_S,
        )
    if done.returncode != 0:
        sys.exit(f"load: lares bench gave status {done.returncode}, see {log}")
    return Result(json.loads(done.stdout), wakes(log.read_text(errors="replace")) if case.waking else [])


def wakes(log: str) -> list[float]:
    """Seconds from the first movement that each camera showed to its being awake; cameras that did not wake have none.

    A virtual camera begins its video when its first client comes, which is up to a second before the log says that its
    pictures arrive: a camera that seems to have woken just before the movement has woken at it."""
    begun: dict[str, datetime] = {}
    woken: dict[str, float] = {}
    for found in filter(None, map(LINE.match, log.splitlines())):
        at, what, camera, rest = datetime.fromisoformat(found[1].replace("Z", "+00:00")), *found.groups()[1:]
        if what == "pictures arrive":
            begun.setdefault(camera, at)
        elif "to=Awake" in rest and camera in begun:
            after = (at - begun[camera]).total_seconds() - STILL_S
            # Noise may have woken it before.
            if after > -LATE_LOG_S:
                woken.setdefault(camera, max(after, 0.0))
    return sorted(woken.values())


def judge(case: Case, results: list[Result]) -> list[list[str]]:
    rows = []
    for promise in case.promises:
        values = sorted(map(promise.value, results))
        middle = median(values)
        spread = f" [{values[0]:.{promise.digits}f}-{values[-1]:.{promise.digits}f}]" if len(values) > 1 else ""
        kept = promise.least <= middle <= promise.most
        verdict = "kept" if kept else "BROKEN"
        rows.append([case.name, promise.text, f"{middle:.{promise.digits}f}{promise.unit}{spread}", verdict])
    return rows


def write_markdown(path: Path, where: str, table: Table) -> None:
    """Puts the table between the two marks, and leaves all else as it is."""
    before, _, rest = path.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(before + BEGIN + f"\n\n{where}\n\n{table.markdown()}\n\n" + END + after)


if __name__ == "__main__":
    sys.exit(main())
