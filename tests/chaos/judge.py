"""What must be true in the end. Pure: numbers and documents in, sentences out."""

import re
from dataclasses import dataclass
from statistics import median

# A camera that has just begun learns its background; a visit takes this long to be over.
SETTLED_S = 30
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Clip:
    """An incident's clip as the page gives it."""

    state: str
    ended: bool
    # Of each file that the playlist names.
    sizes: tuple[int, ...]


def seen(log: str) -> dict[str, str]:
    """The incidents that a box's log tells of, each with its camera."""
    found = {}
    for line in ANSI.sub("", log).splitlines():
        if " seen" not in line:
            continue
        camera = re.search(r"camera=(\S+)", line)
        incident = re.search(r"incident=([0-9a-f-]{36})", line)
        if camera and incident:
            found[incident[1]] = camera[1]
    return found


def lost(seen: dict[str, str], listed: set[str]) -> list[str]:
    return [f"incident {incident} of {camera} is not on the page" for incident, camera in sorted(seen.items()) if incident not in listed]


def incomplete(clips: dict[str, Clip]) -> list[str]:
    faults = []
    for incident, clip in sorted(clips.items()):
        if clip.state != "complete":
            faults.append(f"the clip of {incident} is {clip.state}")
        elif not clip.ended:
            faults.append(f"the playlist of {incident} has no end")
        elif len(clip.sizes) < 2 or not all(clip.sizes):
            faults.append(f"the clip of {incident} lacks files: {clip.sizes}")
    return faults


def expected(starts: list[float], loop_s: float, until_s: float, excused: list[tuple[float, float]]) -> int:
    """How many visits a camera has shown for sure. `starts`: in its video, which is played again and again; `excused`: from when to when its
    box was not watching, in seconds since the video began."""
    if not starts or loop_s <= 0:
        return 0
    count, round_s = 0, 0.0
    while round_s < until_s:
        for start in starts:
            at = round_s + start
            if SETTLED_S <= at <= until_s - SETTLED_S and not any(begin <= at <= end for begin, end in excused):
                count += 1
        round_s += loop_s
    return count


def too_few(expected: int, found: dict[str, int]) -> list[str]:
    """Cameras that reported less than their video shows."""
    return [f"{camera} gave {count} incidents, its video {expected}" for camera, count in sorted(found.items()) if count < expected]


def growth(samples: list[float]) -> float:
    """By how much memory grew, in the unit of the samples: the last quarter against the second."""
    quarter = len(samples) // 4
    if not quarter:
        return 0.0
    return median(samples[-quarter:]) - median(samples[quarter : 2 * quarter])


def spans(times: list[float], apart_s: float = 8) -> str:
    """Times in seconds as spans: those that lie close together are one."""
    found: list[list[float]] = []
    for at in times:
        if found and at - found[-1][1] <= apart_s:
            found[-1][1] = at
        else:
            found.append([at, at])
    return ", ".join(f"{begin:.0f}-{end:.0f} s" for begin, end in found)


def metric(text: str, name: str) -> dict[str, float]:
    """The values of a counter by camera and part, out of a page of Prometheus."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        match = re.match(rf"{name}\{{([^}}]*)\}} (\S+)$", line)
        if match:
            labels = ",".join(re.findall(r'"([^"]*)"', match[1]))
            found[labels] = found.get(labels, 0.0) + float(match[2])
    return found
