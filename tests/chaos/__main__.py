"""`python -m chaos`, with `tests` on the path: see docs/reliability.md."""

import argparse
import csv
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import requests

from eval.replay import ROOT
from peers.processes import MeasureFailed
from peers.procfs import usage

from . import judge
from .faults import FAULTS, Fault, TakenPorts
from .town import FAKETIME, VIDEO, Town

LOOP_S = 600
# The first visit is over, nothing has gone wrong yet.
QUIET_S = 40
# What has not arrived by then will not.
DRAIN_S = 240
# Of a restart, before and after: a visit that began then may be missed.
BLIND_S = (25, 20)
# Memory may breathe by so much.
BREATH_MB = 40
RESTARTS = 2


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("chaos", description="Lets everything go wrong at random, and counts what was lost.")
    parser.add_argument("--seconds", type=int, default=1200, metavar="S", help="how long things go wrong [default: 1200]")
    parser.add_argument("--seed", type=int, metavar="N", help="of the random faults [default: another each time]")
    parser.add_argument("--only", action="append", metavar="FAULT", help=f"{', '.join(f.name for f in FAULTS)}; repeatable")
    parser.add_argument("--lares", type=Path, default=ROOT / "target/release/lares", metavar="FILE")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep configurations and logs there")
    args = parser.parse_args()
    if not 60 <= args.seconds <= 86_400:
        parser.error("give 60 to 86400 seconds")
    return args


def main() -> int:
    args = arguments()
    missing = [name for name in ("mosquitto", "nginx") if not (shutil.which(name) or Path("/usr/sbin", name).exists())]
    if not Path(FAKETIME).exists():
        missing.append("faketime")
    if missing or not (args.lares.exists() and VIDEO.exists()):
        sys.exit(f"chaos: run `make build samples` first{', and install ' + ' '.join(missing) if missing else ''}")
    seed = random.randrange(1 << 32) if args.seed is None else args.seed
    print(f"chaos: seed {seed}", flush=True)
    # To be stopped is to clean up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="lares-chaos-") as folder:
        try:
            with Town(args.lares, Path(folder)) as town:
                return Chaos(town, random.Random(seed), args.only).run(args.seconds)
        except MeasureFailed as error:
            sys.exit(f"chaos: {error}")
        finally:
            if args.keep:
                shutil.copytree(folder, args.keep, ignore=shutil.ignore_patterns("lares", "disk-*"), dirs_exist_ok=True)


class Chaos:
    def __init__(self, town: Town, dice: random.Random, only: list[str] | None):
        self.town, self.dice = town, dice
        self.kinds = [fault for fault in FAULTS if not only or fault.name in only]
        self.began = time.monotonic()
        self.memory: dict[str, list[float]] = {}
        # When the household asked, and how long it waited for an answer, if one came.
        self.polls: list[tuple[float, float | None]] = []
        self.dropped: dict[tuple[str, int], dict[str, float]] = {}
        self.sessions: dict[tuple[str, int], dict[str, float]] = {}
        self.under_way: list[tuple[float, Fault]] = []

    def run(self, seconds: int) -> int:
        self.let_pass(QUIET_S)
        end = time.monotonic() + seconds
        # A fault in any 20 seconds, two at a time at most: each must show itself before the next hides it.
        while time.monotonic() < end:
            self.let_pass(self.dice.uniform(5, 20))
            if len(self.under_way) < 2:
                self.one_more()
        for _, fault in self.under_way:
            fault.end()
        self.under_way.clear()
        watched = time.monotonic() - self.began
        self.let_pass(15)
        self.town.cameras.__exit__()
        return self.tell(watched)

    def one_more(self) -> None:
        kinds = [kind for kind in self.kinds if not any(isinstance(fault, kind) for _, fault in self.under_way)]
        if len(self.town.restarts) >= RESTARTS:
            kinds = [kind for kind in kinds if kind is not TakenPorts]
        if not kinds:
            return
        fault = self.dice.choice(kinds)(self.town, self.dice)
        if isinstance(fault, TakenPorts):
            self.ask_boxes()
        lasts = self.dice.uniform(*fault.lasts)
        at = time.monotonic() - self.began
        print(f"{at:6.0f} s  {fault.name}: {fault.begin()}, for {lasts:.0f} s", flush=True)
        self.under_way.append((time.monotonic() + lasts, fault))

    def let_pass(self, seconds: float) -> None:
        """Time goes by: faults end when they are over, boxes and page are asked how they are."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for entry in [entry for entry in self.under_way if time.monotonic() >= entry[0]]:
                entry[1].end()
                self.under_way.remove(entry)
            for box in self.town.boxes.values():
                box.program.must_run()
            self.ask_boxes()
            self.poll()
            time.sleep(1)

    def ask_boxes(self) -> None:
        for site, box in self.town.boxes.items():
            run = (site, box.starts)
            self.memory.setdefault(site, []).append(usage(box.program.process.pid, False).rss_mb)
            try:
                text = requests.get(f"http://127.0.0.1:{self.town.ports[f'web-{site}']}/metrics", timeout=2).text
            except requests.RequestException:
                continue
            self.dropped[run] = judge.metric(text, "lares_dropped_total")
            self.sessions[run] = judge.metric(text, "lares_camera_sessions_total")

    def poll(self) -> None:
        """What a household sees that had logged in before."""
        began = time.monotonic()
        try:
            self.town.page.get("/api/house", seconds=5)
            self.polls.append((began - self.began, time.monotonic() - began))
        except requests.RequestException:
            self.polls.append((began - self.began, None))

    def tell(self, watched: float) -> int:
        seen = {}
        for box in self.town.boxes.values():
            seen |= judge.seen(box.logs())
        listed, clips = self.drain(set(seen))
        faults = judge.lost(seen, listed)
        lost = len(faults)
        broken = judge.incomplete({incident: clip for incident, clip in clips.items() if incident in listed})
        faults += broken
        with VIDEO.with_suffix(".csv").open() as rows:
            starts = [float(row["start_s"]) for row in csv.DictReader(rows)]
        for site in self.town.boxes:
            times = [at - self.began for where, at in self.town.restarts if where == site]
            excused = [(at - BLIND_S[0], at + BLIND_S[1]) for at in times]
            expected = judge.expected(starts, LOOP_S, watched, excused)
            found = {f"{site}{n}": sum(camera == f"{site}{n}" for camera in seen.values()) for n in (1, 2)}
            missed = judge.too_few(expected, found)
            faults += missed
            lost += len(missed)
        for (site, _), dropped in self.dropped.items():
            # A look that comes too late is no packet that is lost.
            lost_packets = {labels: count for labels, count in dropped.items() if count and not labels.endswith(",looks")}
            faults += [f"{site}: packets dropped: {labels} {count:.0f}" for labels, count in lost_packets.items()]
        faults += [f"{site}: camera {camera} had {n:.0f} sessions" for (site, _), of in self.sessions.items() for camera, n in of.items() if n > 1]
        grown = max(judge.growth(samples) for samples in self.memory.values())
        if grown > BREATH_MB:
            faults.append(f"memory grew by {grown:.0f} MB")
        for fault in faults:
            print(f"wrong: {fault}")
        answered = [waited for _, waited in self.polls if waited is not None]
        print(f"page: {len(answered)} of {len(self.polls)} requests of a household answered, the slowest after {max(answered, default=0):.1f} s")
        print(f"page: not answered at {judge.spans([at for at, waited in self.polls if waited is None]) or 'no time'}")
        print(f"chaos: {watched:.0f} s, {len(seen)} incidents, {lost} lost, {len(broken)} incomplete, memory {grown:+.0f} MB")
        # What saw nothing proves nothing.
        return int(bool(faults) or not seen)

    def drain(self, wanted: set[str]) -> tuple[set[str], dict[str, judge.Clip]]:
        """Without cameras nothing new comes: waits until everything has arrived."""
        end = time.monotonic() + DRAIN_S
        while True:
            for box in self.town.boxes.values():
                box.program.must_run()
            try:
                incidents = self.town.page.incidents()
                complete = {one["id"] for one in incidents if one["clip"]["state"] == "complete"}
                if wanted <= complete or time.monotonic() > end:
                    return {one["id"] for one in incidents}, {one["id"]: self.clip(one) for one in incidents}
            except requests.RequestException as error:
                if time.monotonic() > end:
                    raise MeasureFailed(f"the page does not answer in the end: {error}") from error
            time.sleep(2)

    def clip(self, incident: dict) -> judge.Clip:
        """An incident's clip, each of its files asked for."""
        clip = incident["clip"]
        if not clip["playlist"]:
            return judge.Clip(clip["state"], False, ())
        playlist = self.town.page.get(clip["playlist"]).text
        folder = clip["playlist"].rpartition("/")[0]
        names = [line for line in playlist.splitlines() if line and not line.startswith("#")]
        names += [line.split('"')[1] for line in playlist.splitlines() if line.startswith("#EXT-X-MAP:")]
        sizes = []
        for name in names:
            try:
                sizes.append(len(self.town.page.get(name if name.startswith("/") else f"{folder}/{name}").content))
            except requests.RequestException:
                sizes.append(0)
        return judge.Clip(clip["state"], "#EXT-X-ENDLIST" in playlist, tuple(sizes))


sys.exit(main())
