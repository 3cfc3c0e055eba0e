"""Command line of the recipe; run from `models/`: `python3 -m recipe all`."""

import argparse
from pathlib import Path

from . import cards, golden, motion, person, score_motion, score_person

MODELS = Path(__file__).resolve().parent.parent


def make(options: argparse.Namespace) -> None:
    """Make what was asked for, then check every card against its file."""
    if options.what in ("all", "motion"):
        motion.make(options.target)
    if options.what in ("all", "person"):
        person.make(options.target, options.cache, options.calibration)
    if options.what in ("all", "golden"):
        golden.make(options.target)
    cards.verify(options.target)


def score(options: argparse.Namespace) -> None:
    """Measure the models in place on a labelled clip."""
    if options.what == "score-motion":
        score_motion.report(MODELS / "motion.onnx", options.video, options.truth, motion.SIZES)
    else:
        for name in ("person", "person-f32"):
            score_person.report(MODELS / f"{name}.onnx", options.video, options.truth, person.SIZES[:2], options.step)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="recipe", description="Make the models, their cards and the golden vectors; measure them."
    )
    commands = parser.add_subparsers(dest="what", required=True)
    for name in ("all", "person", "motion", "golden", "verify"):
        command = commands.add_parser(name)
        command.set_defaults(run=make)
        command.add_argument("--target", type=Path, default=MODELS, help="folder that receives the models")
        command.add_argument("--cache", type=Path, default=MODELS / ".cache", help="folder that keeps the download")
        command.add_argument(
            "--calibration",
            type=Path,
            default=MODELS.parent.parent / "shared/data/tuning/coco",
            help="folder of photographs (.jpg) from which the int8 ranges are taken",
        )
    for name in ("score-person", "score-motion"):
        command = commands.add_parser(name)
        command.set_defaults(run=score)
        command.add_argument("video", type=Path)
        command.add_argument("truth", type=Path, help="boxes (MOT, .txt) or, for motion, visits (start_s,end_s, .csv)")
        command.add_argument("--step", type=int, default=5, help="look at each n-th frame (score-person)")
    return parser.parse_args()


if __name__ == "__main__":
    options = arguments()
    options.run(options)
