"""What is true about a video: the visits, and where each person is in each frame."""

from dataclasses import dataclass

from walkers import Figure

# Less of a person than this is no person to a detector.
ENTERED = 0.25
GONE = 0.01


@dataclass
class Visit:
    start: float
    end: float
    people: int = 0
    height: int = 0


class Truth:
    """Collects the visits frame by frame. `people` are the figures in it, by their number."""

    def __init__(self):
        self.visits: list[Visit] = []
        self.open = False

    def see(self, time: float, people: dict[int, Figure]) -> None:
        inside = sum(figure.share >= ENTERED for figure in people.values())
        if not self.open and inside:
            self.visits.append(Visit(time, time))
            self.open = True
        if self.open:
            visit = self.visits[-1]
            visit.end = time
            visit.people = max(visit.people, inside)
            visit.height = max([visit.height, *(figure.box()[3] for figure in people.values())])
            self.open = any(figure.share > GONE for figure in people.values())

    def csv(self) -> str:
        lines = ["start_s,end_s,people"]
        lines += [f"{v.start:.1f},{v.end:.1f},{v.people}" for v in self.visits]
        return "\n".join(lines) + "\n"

    def long_csv(self, picture_height: int) -> str:
        """With the pause before each visit, and how tall the tallest person got in the picture."""
        lines, before = ["start_s,end_s,people,gap_s,height"], None
        for v in self.visits:
            gap = "" if before is None else f"{v.start - before:.2f}"
            height = v.height / picture_height
            lines.append(f"{v.start:.2f},{v.end:.2f},{v.people},{gap},{height:.3f}")
            before = v.end
        return "\n".join(lines) + "\n"


class Boxes:
    """Where each person's visible body is, frame by frame, in the format of the MOT challenge."""

    def __init__(self, width: int, height: int):
        self.width, self.height = width, height
        self.lines: list[str] = []

    def see(self, frame: int, people: dict[int, Figure], offset=(0.0, 0.0)) -> None:
        """`frame` counts from 1. `offset`: how far the camera's shaking moves the picture."""
        for number, figure in sorted(people.items()):
            x, y, width, height = figure.box()
            left, right = (_clip(x + dx, self.width) for dx in (offset[0], offset[0] + width))
            top, low = (_clip(y + dy, self.height) for dy in (offset[1], offset[1] + height))
            if left < right and top < low:
                box = f"{left},{top},{right - left},{low - top}"
                sure = int(figure.visible() >= ENTERED)
                self.lines.append(f"{frame},{number},{box},{sure},-1,-1,-1")

    def text(self) -> str:
        return "".join(line + "\n" for line in self.lines)


def _clip(place: float, limit: int) -> int:
    return min(max(round(place), 0), limit)
