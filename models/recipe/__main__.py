"""Command line of the recipe; run from `models/`: `python3 -m recipe all`."""

import argparse
from pathlib import Path

from . import cards, golden, motion, person

MODELS = Path(__file__).resolve().parent.parent


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="recipe", description="Make the models, their cards and the golden vectors.")
    parser.add_argument("what", choices=["all", "person", "motion", "golden", "verify"])
    parser.add_argument("--target", type=Path, default=MODELS, help="folder that receives the models")
    parser.add_argument("--cache", type=Path, default=MODELS / ".cache", help="folder that keeps the download")
    parser.add_argument(
        "--calibration", type=Path, default=MODELS.parent.parent / "shared/data/tuning/coco",
        help="folder of photographs (.jpg) from which the int8 ranges are taken",
    )
    return parser.parse_args()


def main() -> None:
    options = arguments()
    if options.what in ("all", "motion"):
        motion.make(options.target)
    if options.what in ("all", "person"):
        person.make(options.target, options.cache, options.calibration)
    if options.what in ("all", "golden"):
        golden.make(options.target)
    cards.verify(options.target)


main()
