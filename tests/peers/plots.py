"""The picture of the figures, as SVG."""

from pathlib import Path

import matplotlib
import numpy as np

from .figures import Figures, Spread

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402  (after the choice of the backend)

BLUE, ORANGE, GREY = "#2f6db5", "#d9822b", "#8a8a8a"


def draw(path: Path, figures: list[Figures]) -> Path:
    """Bars of medians with least and most; beside them what plain GStreamer takes for the keyframes alone."""
    # Text as text, and nothing that differs from run to run: the file is kept under version control.
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "peers"})
    figure, axes = plt.subplots(figsize=(8, 1.2 + 0.8 * len(figures)))
    rows = np.arange(len(figures))
    bars = [
        ("Lares", BLUE, [f.lares("cpu") for f in figures]),
        ("motion", ORANGE, [f.motion("cpu") for f in figures]),
        ("plain GStreamer, keyframes only", GREY, [f.limit("keyframes") for f in figures]),
    ]
    for place, (label, colour, spreads) in enumerate(bars):
        at = rows + (place - 1) * 0.27
        axes.barh(at, [s.median for s in spreads], 0.25, xerr=_whiskers(spreads), color=colour, label=label, capsize=2)
    axes.set_yticks(rows, [f.case.name for f in figures])
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set(xlabel="CPU seconds per camera second: median, least and most of the rounds")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(bars), frameon=False)
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    return path


def _whiskers(spreads: list[Spread]) -> np.ndarray:
    return np.array([[s.median - s.least for s in spreads], [s.most - s.median for s in spreads]])
