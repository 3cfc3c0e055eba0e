"""Branches close to the lens, in the wind."""

import numpy as np

from light import GREY, Effect, Wander
from scene import blur


class Foliage(Effect):
    """Two branches hang into the picture, from the upper left and the right, and swing in gusts.
    Their leaves wear the texture of vtest's own lawn."""

    # Corner of the window (parts of the picture), its size in pixels, side of the root, leaves.
    BRANCHES = (
        ((0.0, 0.0), (330, 230), "left", 620),
        ((0.74, 0.0), (200, 150), "right", 240),
    )

    def __init__(self, backdrop, _seconds):
        rng = np.random.default_rng(91)
        self.gust = Wander(92, 8)
        self.branches = []
        for (left, top), (width, height), side, leaves in self.BRANCHES:
            x = int(left * backdrop.width) // 2 * 2
            y = int(top * backdrop.height) // 2 * 2
            branch = _Branch(rng, backdrop.planes, width, height, side, leaves)
            self.branches.append((x, y, branch))

    def __call__(self, picture, time):
        result = tuple(plane.copy() for plane in picture)
        wind = 0.25 + 0.75 * min(max(0.4 + self.gust(time), 0.0), 1.3)
        for x, y, branch in self.branches:
            branch.paint(result, x, y, time, wind)
        return result


class _Branch:
    """Planes of a branch with its matte, and how it gives way to the wind."""

    def __init__(self, rng, texture, width: int, height: int, side: str, leaves: int):
        self.planes = [np.full((height // k, width // k), 60.0, np.float32) for k in (1, 2, 2)]
        self.planes[1][:], self.planes[2][:] = GREY - 12, GREY - 4
        matte = np.zeros((height, width), np.float32)
        for x, y, size in _twigs(rng, width, height, leaves, matte):
            self._leaf(rng, texture, matte, x, y, size)
        self.planes[0] = blur(self.planes[0], 1)
        self.matte = blur(blur(matte, 1), 1)
        self.small = self.matte[::2, ::2]
        if side == "right":
            self.planes = [plane[:, ::-1] for plane in self.planes]
            self.matte, self.small = self.matte[:, ::-1], self.small[:, ::-1]
        self.y, self.x = np.mgrid[0:height, 0:width].astype(np.float32)
        from_root = np.hypot(width - self.x if side == "right" else self.x, self.y)
        self.give = 15 * (from_root / np.hypot(width, height)) ** 1.3

    def _leaf(self, rng, texture, matte, x, y, size):
        """One leaf: an ellipse of lawn, lighter or darker than its neighbours."""
        height, width = matte.shape
        x0, x1 = max(int(x - size), 0) // 2 * 2, min(int(x + size), width) // 2 * 2
        y0, y1 = max(int(y - size), 0) // 2 * 2, min(int(y + size), height) // 2 * 2
        if x1 - x0 < 4 or y1 - y0 < 4:
            return
        turn, light = rng.uniform(0, np.pi), rng.uniform(0.55, 1.5)
        from_x, from_y = rng.integers(10, 300) // 2 * 2, rng.integers(330, 480) // 2 * 2
        grid_y, grid_x = np.ogrid[y0:y1, x0:x1]
        along = (grid_x - x) * np.cos(turn) + (grid_y - y) * np.sin(turn)
        aside = (grid_y - y) * np.cos(turn) - (grid_x - x) * np.sin(turn)
        leaf = np.hypot(along / size, aside / (0.45 * size)) < 1
        for plane, lawn, k in zip(self.planes, texture, (1, 2, 2)):
            window = plane[y0 // k : y1 // k, x0 // k : x1 // k]
            shape = leaf[::k, ::k]
            patch = lawn[from_y // k :, from_x // k :][: window.shape[0], : window.shape[1]]
            window[shape] = patch[shape] * (light if k == 1 else 1)
        matte[y0:y1, x0:x1] = np.maximum(matte[y0:y1, x0:x1], leaf)

    def paint(self, picture, left: int, top: int, time: float, wind: float) -> None:
        # The whole branch swings, and each twig trembles with a phase of its own.
        swing = np.sin(2.1 * time) + 0.5 * np.sin(3.7 * time + 1)
        tremble = np.sin(6.3 * time + self.x / 21 + self.y / 33)
        away = wind * self.give * (0.7 * swing + 0.35 * tremble)
        limit_y, limit_x = self.matte.shape
        from_x = np.clip(self.x - away, 0, limit_x - 1.001)
        from_y = np.clip(self.y - 0.6 * away, 0, limit_y - 1.001)
        fine = _looker(from_x, from_y, limit_x)
        coarse = _looker(from_x[::2, ::2] / 2, from_y[::2, ::2] / 2, limit_x // 2)
        mattes = fine(self.matte), coarse(self.small)
        for index, (source, plane) in enumerate(zip(self.planes, picture)):
            look, matte = (fine, mattes[0]) if index == 0 else (coarse, mattes[1])
            k = 1 if index == 0 else 2
            rows, columns = matte.shape
            target = plane[top // k : top // k + rows, left // k : left // k + columns]
            matte = matte[: target.shape[0], : target.shape[1]]
            seen = look(source)[: target.shape[0], : target.shape[1]]
            target[:] = target + matte * (seen - target) + 0.5


def _looker(x, y, width: int):
    """Bilinear look-up at these places, for planes that wide."""
    low_x, low_y = x.astype(np.int32), y.astype(np.int32)
    part_x, part_y = x - low_x, y - low_y
    at = low_y * width + low_x

    def look(plane):
        flat = np.append(plane.ravel(), np.zeros(width + 2, np.float32))
        upper = flat.take(at) * (1 - part_x) + flat.take(at + 1) * part_x
        lower = flat.take(at + width) * (1 - part_x) + flat.take(at + width + 1) * part_x
        return upper + part_y * (lower - upper)

    return look


def _twigs(rng, width: int, height: int, leaves: int, matte: np.ndarray):
    """Draws twigs that fan out from the upper left corner and yields places for leaves on them."""
    twigs = 11
    for number in range(twigs):
        turn = np.pi / 2 * (number + rng.uniform(0.1, 0.9)) / twigs
        reach = rng.uniform(0.55, 0.92) * min(
            width / max(np.cos(turn), 0.01), height / max(np.sin(turn), 0.01)
        )
        bend = rng.uniform(-0.3, 0.3)
        along = np.linspace(0, 1, 400)
        x = reach * along * np.cos(turn + bend * along)
        y = reach * along * np.sin(turn + bend * along)
        for thick in range(3):
            rows, columns = (y + thick - 1).astype(int), (x + thick - 1).astype(int)
            inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
            matte[rows[inside], columns[inside]] = 1
        for place in rng.uniform(0.12, 1, leaves // twigs) ** 0.8:
            at = int(place * 399)
            yield x[at] + rng.normal(0, 11), y[at] + rng.normal(0, 9), rng.uniform(5, 11)
