"""The set `real`: clips of other people's cameras, as they are and with a keyframe each two seconds."""

import csv
import html
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from .clips import Clip, Skipped
from .explain import spans
from .measure import Measured
from .visits import Incident, shown_visit

GROUP = "real"
REKEY_S = 2
# A visit told later than this is worth a cause and two images.
SLOW_S = 2.0


def real_clips(data: Path, rekeyed: Path) -> tuple[list[Clip], list[Skipped]]:
    """Each clip twice. `rekeyed`: the folder where those with more keyframes are made."""
    folder = data / GROUP
    manifest = folder / "manifest.csv"
    if not manifest.exists():
        return [], [Skipped(GROUP, f"{manifest} is not there: name the shared folder by --shared or LARES_SHARED")]
    with manifest.open(newline="") as lines:
        names = [row["name"] for row in csv.DictReader(lines)]
    truth = {"visits": folder / "events.csv", "ignored": folder / "ignore.csv"}
    clips = []
    for name in names:
        stem = Path(name).stem
        clips.append(Clip(stem, GROUP, folder / name, rows=name, **truth))
        made = rekeyed / f"{stem}.mp4"
        clips.append(Clip(f"{stem}-key{REKEY_S}", GROUP, made, rows=name, rekeyed_from=folder / name, **truth))
    return clips, []


def rekey(clips: list[Clip]) -> None:
    """Makes the copies that are not there or older than what they are made from; frames keep their times."""
    for clip in clips:
        source, made = clip.rekeyed_from, clip.video
        if source is None or (made.exists() and made.stat().st_mtime >= source.stat().st_mtime):
            continue
        made.parent.mkdir(parents=True, exist_ok=True)
        part = made.with_name(f".part-{made.name}")
        command = ["ffmpeg", "-v", "error", "-y", "-i", source, "-an", "-c:v", "libx264", "-preset", "fast"]
        command += ["-crf", "20", "-bf", "0", "-pix_fmt", "yuv420p", "-g", "100000", "-sc_threshold", "0"]
        command += ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-fps_mode", "passthrough"]
        command += ["-force_key_frames", f"expr:gte(t,n_forced*{REKEY_S})", part]
        subprocess.run(command, check=True)
        part.replace(made)


@dataclass(frozen=True)
class Moment:
    """A visit that was missed, or told late, with the span of the recording in which nobody was told."""

    measured: Measured
    begin: float
    end: float
    cause: str
    text: str


def cause_of(begin: float, end: float, told: Incident | None, explained: list[str]) -> str:
    """Why nobody was told from `begin` to `end`: what most refusals there say, or when the person was first seen."""
    if told is not None:
        return "seen late" if told.start - begin >= told.alert - told.start else "believed late"
    reasons = Counter(
        text.rsplit(": ", 1)[1].rsplit(" (", 1)[0]
        for first, last, text in spans(explained)
        if "no incident" in text and first < end and last > begin
    )
    return reasons.most_common(1)[0][0] if reasons else "not looked at"


def moments(measured: list[Measured]) -> list[Moment]:
    found = []
    for m in measured:
        for number, (visit, delay) in enumerate(zip(m.matched.visits, m.matched.delays), start=1):
            if delay is not None and delay <= SLOW_S:
                continue
            end = visit.end if delay is None else visit.start + delay
            told = next((i for i in m.incidents if abs(i.alert - end) < 0.01), None) if delay is not None else None
            cause = cause_of(visit.start, end, told, m.explained)
            text = "never told" if delay is None else f"told after {delay:.1f} s"
            found.append(Moment(m, visit.start, end, cause, f"{shown_visit(number, visit)}: {text}, {cause}"))
    return found


def summary(measured: list[Measured], name: str) -> str:
    """Found, false, split, merged, and the delays; a visit that was missed counts as told never."""
    delays = [d for m in measured for d in m.matched.delays]
    ranked = sorted(float("inf") if d is None else d for d in delays)

    def rank(share: float) -> str:
        # The smallest delay that at least this share of the visits do not exceed.
        value = ranked[max(0, -int(-share * len(ranked) // 1) - 1)] if ranked else float("inf")
        return f"{value:.2f}"

    count = [sum(getattr(m.matched, what) for m in measured) for what in ("found", "false", "splits", "merged")]
    found, false, split, merged = count
    figures = f"{found} of {len(delays)} found, {false} false, {split} split, {merged} merged"
    return f"{name}: {figures}, delay {rank(0.5)} / {rank(0.95)} s"


def lines(measured: list[Measured]) -> list[str]:
    """Both keyings in words, that of the clips as they are last."""
    rekeyed = [m for m in measured if m.clip.rekeyed_from]
    plain = [m for m in measured if not m.clip.rekeyed_from]
    said = []
    for name, part in ((f"real, keyed each {REKEY_S} s", rekeyed), ("real", plain)):
        if not part:
            continue
        first = [(v, d) for m in part for v, d in zip(m.matched.visits, m.matched.delays) if v.start == 0]
        seconds = ", ".join("-" if d is None else f"{d:.2f}" for _, d in first)
        found = sum(d is not None for _, d in first)
        causes = Counter(moment.cause for moment in moments(part))
        counted = ", ".join(f"{cause} {count}" for cause, count in causes.most_common()) or "none"
        said += [f"{name}, from the first picture on: {found} of {len(first)} found, after {seconds} s"]
        said += [f"{name}, missed or later than {SLOW_S:g} s, by cause: {counted}", summary(part, name)]
    return said


def draw_moments(folder: Path, measured: list[Measured]) -> Path | None:
    """A page with the pictures of each failing moment: where the visit begins, in the middle, and when it was told."""
    failing = moments(measured)
    if not failing:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for number, moment in enumerate(failing):
        clip, images = moment.measured.clip, ""
        for part in (0.1, 0.5, 0.95):
            image = folder / f"{number}-{part}.jpg"
            at = moment.begin + part * (moment.end - moment.begin)
            command = ["ffmpeg", "-v", "error", "-y", "-ss", f"{at:.2f}", "-i", clip.video, "-frames:v", "1"]
            subprocess.run([*command, "-vf", "scale=480:-2", image], check=True)
            images += f'<img src="{image.name}" alt="{at:.1f} s">'
        parts.append(f"<h2>{html.escape(f'{clip.name}, {moment.text}')}</h2>{images}")
    page = folder / "index.html"
    page.write_text("<!doctype html><meta charset=utf-8><title>Failing moments</title>" + "\n".join(parts))
    return page
