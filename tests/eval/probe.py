"""What ffprobe knows of a video: its packets, from which follow the scoring grid and a perfect recorder's bytes."""

import json
import subprocess
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from .truth import Visit

# A recorder keeps this much around a visit: the defaults of `clip.pre_roll` and `clip.post_roll`.
PRE_ROLL_S, POST_ROLL_S = 5.0, 5.0

# `lares replay --mot` looks at the first picture shown on or after each multiple of this.
SCORING_LOOK_NS = 200_000_000


@dataclass(frozen=True)
class Packet:
    """One coded picture. Time is in nanoseconds from the first picture shown."""

    time: int
    size: int
    key: bool


@dataclass(frozen=True)
class Video:
    width: int
    height: int
    packets: list[Packet]

    @property
    def bytes(self) -> int:
        return sum(packet.size for packet in self.packets)

    @property
    def key_interval_s(self) -> float | None:
        """The longest way from a keyframe to the next; None where there is but one."""
        keys = sorted(packet.time for packet in self.packets if packet.key)
        return max((b - a for a, b in zip(keys, keys[1:])), default=0) / 1e9 or None


@cache
def probe(path: Path) -> Video:
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-of", "json"]
    command += ["-show_entries", "stream=width,height,time_base:packet=pts,dts,size,flags", str(path)]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    stream = found["streams"][0]
    unit = Fraction(stream["time_base"]) * 1_000_000_000
    # AVI has decoding times only; without B-frames they are the times of showing.
    ticks = [int(packet.get("pts", packet.get("dts", 0))) for packet in found["packets"]]
    first = min(ticks)
    packets = [
        Packet(int((tick - first) * unit), int(packet["size"]), packet["flags"].startswith("K"))
        for tick, packet in zip(ticks, found["packets"])
    ]
    return Video(stream["width"], stream["height"], packets)


def scoring_grid(video: Video) -> list[int]:
    """Numbers of the frames at which `--mot` looks: fixed beforehand, whether somebody is there or not."""
    frames, due = [], 0
    for number, time in enumerate(sorted(packet.time for packet in video.packets), start=1):
        if time >= due:
            frames.append(number)
            due = (time // SCORING_LOOK_NS + 1) * SCORING_LOOK_NS
    return frames


def perfect_bytes(video: Video, visits: list[Visit]) -> int:
    """Bytes of the packets from 5 s before each visit, rounded down to a keyframe, to 5 s after; shared ones once."""
    keys = sorted(packet.time for packet in video.packets if packet.key)
    kept = set()
    for visit in visits:
        begin, end = int((visit.start - PRE_ROLL_S) * 1e9), int((visit.end + POST_ROLL_S) * 1e9)
        before = bisect_right(keys, begin)
        begin = keys[before - 1] if before else 0
        kept.update(n for n, packet in enumerate(video.packets) if begin <= packet.time <= end)
    return sum(video.packets[n].size for n in kept)
