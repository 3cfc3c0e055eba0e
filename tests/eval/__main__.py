"""`python -m eval`, with `tests` on the path: see docs/evaluation.md."""

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from . import real
from .clips import Clip, Skipped, catalogue, chosen
from .compare import compare
from .explain import explain
from .measure import Measured, measure, replay
from .plots import draw
from .promises import Promise, judge
from .replay import ROOT, Lares, ReplayFailed
from .report import require_marks, write_markdown, write_report
from .sizes import by_height
from .tables import all_tables, failure_table, failures_of, promise_table, skipped_lines


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("eval", description="What Lares finds, how soon and at what price.")
    parser.add_argument("--quick", action="store_true", help="a test: only the scenes marked quick, looser promises")
    parser.add_argument(
        "--only", action="append", metavar="GLOB", help="only clips or groups of such a name, as 'rain*'; repeatable"
    )
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="replays at a time [default: 2]")
    parser.add_argument("--lares", type=Path, default=ROOT / "target/release/lares", metavar="FILE")
    shared = Path(os.environ.get("LARES_SHARED", ROOT / "../shared"))
    parser.add_argument("--shared", type=Path, default=shared, metavar="DIR", help="shared labelled clips")
    parser.add_argument("--workshop", type=Path, default=ROOT / "samples/workshop", metavar="DIR", help="made scenes")
    parser.add_argument("--out", type=Path, default=ROOT / "target/eval", metavar="DIR", help="where the results go")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the results into this document too")
    parser.add_argument("--explain", action="store_true", help="what `lares replay --explain` says near each failure")
    parser.add_argument("--compare", action="store_true", help="also compare the policies of looking in compare.py")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    if not args.lares.exists():
        sys.exit(f"eval: {args.lares} is not there: run `make build`")
    others = real.real_clips(args.shared / "data", args.out / "rekeyed")
    clips, skipped = catalogue(ROOT, args.shared, args.workshop, others)
    clips = chosen(clips, args.quick, args.only)
    real.rekey(clips)
    for line in skipped_lines(skipped):
        print(line)
    if args.markdown:
        require_marks(args.markdown)
    if not clips:
        print("nothing to measure")
        return 0
    lares = Lares(args.lares, args.out / "kept")
    measured, broken = measure_all(lares, clips, args)
    sizes = by_height([m for m in measured if m.clip.group == "size"])
    tables = all_tables(measured, sizes)
    comparison = compare(lares, clips, args.jobs) if args.compare else None
    if comparison:
        tables.append(comparison)
    promises = broken + [promise for m in measured for promise in judge(m, args.quick)]
    tables += [table for table in (promise_table(promises), failure_table(measured, promises)) if table.rows]
    for table in tables:
        print("\n" + table.text())
    if args.explain:
        explain_failures(measured, promises)
    write_report(args.out / "report.json", lares.sha256, measured, sizes, promises, skipped, comparison)
    plots = draw(args.out, measured, sizes) if measured else []
    print(f"\nwritten: {args.out / 'report.json'}" + "".join(f", {path.name}" for path in plots))
    if args.markdown:
        write_markdown(args.markdown, lares.sha256, tables, skipped)
    code = verdict(promises, skipped)
    strangers = [m for m in measured if m.clip.group == real.GROUP]
    if strangers:
        page = real.draw_moments(args.out / "moments", strangers)
        print(f"images of the failing moments: {page}" if page else "no failing moments")
        print("\n".join(real.lines(strangers)))
    return code


def measure_all(lares: Lares, clips: list[Clip], args: argparse.Namespace) -> tuple[list[Measured], list[Promise]]:
    """Replays in threads, scores here; a clip that could not be replayed is a promise broken."""
    measured: dict[Clip, Measured] = {}
    broken = []
    with ThreadPoolExecutor(args.jobs) as pool:
        running = {pool.submit(replay, lares, clip, boxes=not args.quick): clip for clip in clips}
        for number, done in enumerate(as_completed(running), start=1):
            clip = running[done]
            try:
                replays = done.result()
                measured[clip] = measure(clip, replays)
            except ReplayFailed as error:
                print(f"[{number}/{len(clips)}] {clip.name}: {error}", flush=True)
                broken.append(Promise(clip.name, "can be replayed", "no", kept=False))
                continue
            note = "kept from before" if replays.cached else f"{replays.cpu_s:.1f} CPU s"
            print(f"[{number}/{len(clips)}] {clip.name}: {note}", flush=True)
    return [measured[clip] for clip in clips if clip in measured], broken


def explain_failures(measured: list[Measured], promises: list[Promise]) -> None:
    for m in measured:
        for failure, lines in explain(m.explained, failures_of(m, promises)).items():
            print(f"\n{m.clip.name}, {failure.kind}: {failure.text}")
            print("\n".join(f"    {line}" for line in lines or ["nothing was refused near it"]))


def verdict(promises: list[Promise], skipped: list[Skipped]) -> int:
    broken = sum(not promise.kept for promise in promises)
    left_out = f"; {len(skipped)} skipped, see above" if skipped else ""
    print(f"eval: {len(promises) - broken} of {len(promises)} promises kept{left_out}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
