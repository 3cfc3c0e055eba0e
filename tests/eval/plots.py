"""Pictures of the figures, as PNG files."""

from pathlib import Path

import matplotlib
import numpy as np

from .boxes import HEIGHTS
from .measure import Measured
from .sizes import SizeFigures

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402  (after the choice of the backend)

BLUE, ORANGE, GREY = "#2f6db5", "#d9822b", "#8a8a8a"


def draw(folder: Path, measured: list[Measured], sizes: dict[int, SizeFigures]) -> list[Path]:
    """Those for which there are figures."""
    drawn = [
        _precision_recall(folder / "precision.png", measured),
        _delays(folder / "delays.png", measured),
        _sizes(folder / "sizes.png", sizes),
        _costs(folder / "costs.png", measured),
        _uploads(folder / "uploads.png", measured),
    ]
    return [path for path in drawn if path]


def _save(figure, path: Path) -> Path:
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)
    return path


def _rows(count: int):
    """One line of the picture per clip."""
    return plt.subplots(figsize=(8, 1.2 + 0.3 * count))


def _label(axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _legend(axes) -> None:
    """Beside the picture: there may be a bar or a dot anywhere in it."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)


def _precision_recall(path: Path, measured: list[Measured]) -> Path | None:
    figures = next((m.boxes for m in measured if m.clip.group == "vtest"), None)
    if figures is None:
        return None
    figure, axes = plt.subplots(figsize=(6, 5))
    for name, part in {"all frames": figures.precision, **figures.halves}.items():
        axes.plot(np.linspace(0, 1, 101), part.curve, label=f"{name}: AP {part.ap50:.3f}")
    axes.set(xlabel="recall", ylabel="precision", title="vtest at IoU 0.5", xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    return _save(figure, path)


def _delays(path: Path, measured: list[Measured]) -> Path | None:
    """A dot per visit: how long until somebody was told."""
    clips = [m for m in measured if m.matched and m.matched.found]
    if not clips:
        return None
    figure, axes = _rows(len(clips))
    for kind, colour in (("all", GREY), ("asleep", BLUE), ("awake", ORANGE)):
        dots = [(delay, row) for row, m in enumerate(clips) for delay in m.matched.delays_of(kind)]
        label = "either" if kind == "all" else kind
        axes.plot(*zip(*dots, strict=True) if dots else ([], []), "o", color=colour, markersize=5, label=label)
    _label(axes, [m.clip.name for m in clips])
    axes.set(xlabel="s from the visit's start to the alert", title="Delay of each visit's alert")
    axes.set_xlim(left=0)
    _legend(axes)
    return _save(figure, path)


def _sizes(path: Path, sizes: dict[int, SizeFigures]) -> Path | None:
    if not sizes:
        return None
    figure, axes = plt.subplots(figsize=(7, 4))
    found = {height: at.found / at.visits for height, at in sizes.items() if at.visits}
    ap50 = {height: at.precision.ap50 for height, at in sizes.items() if at.precision}
    axes.plot(found.keys(), found.values(), "o-", color=BLUE, label="visits found, share")
    axes.plot(ap50.keys(), ap50.values(), "s-", color=ORANGE, label="AP@0.5 of boxes")
    axes.set_xscale("log")
    axes.set_xticks(HEIGHTS, [str(height) for height in HEIGHTS])
    axes.minorticks_off()
    axes.set(xlabel="person's height in percent of the picture", ylim=(0, 1.05), title="By the person's height")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    return _save(figure, path)


def _costs(path: Path, measured: list[Measured]) -> Path:
    figure, axes = _rows(len(measured))
    stages = sorted({stage for m in measured for stage in m.stage_cpu_per_s})
    left = np.zeros(len(measured))
    for stage in stages:
        spent = np.array([m.stage_cpu_per_s.get(stage, 0) for m in measured])
        axes.barh(range(len(measured)), spent, left=left, label=stage)
        left += spent
    _label(axes, [m.clip.name for m in measured])
    axes.set(xlabel="CPU seconds per second of video", title="What it costs, by stage")
    _legend(axes)
    return _save(figure, path)


def _uploads(path: Path, measured: list[Measured]) -> Path | None:
    """Beside what leaves the house, what a perfect recorder would send."""
    clips = [m for m in measured if m.matched]
    if not clips:
        return None
    figure, axes = _rows(len(clips))
    rows = np.arange(len(clips))
    axes.barh(rows - 0.18, [m.upload_of_stream for m in clips], 0.36, color=BLUE, label="Lares")
    perfect = [(m.perfect_bytes or 0) / m.source_bytes for m in clips]
    axes.barh(rows + 0.18, perfect, 0.36, color=GREY, label="a perfect recorder")
    _label(axes, [m.clip.name for m in clips])
    axes.set(xlabel="share of the stream's bytes", title="What leaves the house")
    _legend(axes)
    return _save(figure, path)
