"""`python -m crash --runs N`, with `tests` on the path: see docs/durability.md."""

import argparse
import os
import random
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from eval.replay import ROOT
from peers.processes import MeasureFailed, Program

from . import powercut
from .promises import Promises, Verdict
from .street import Street

# Where a kill falls, and how often.
PHASES = {"start-up": 2, "idle": 1, "incident": 3, "file": 3, "upload": 3}
# What has not happened by then will not: the kill comes anyway.
PATIENCE_S = 15
DRAIN_S = 180


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("crash", description="Kills the agent at random instants and counts what is lost.")
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="kills [default: 20]")
    parser.add_argument("--seed", type=int, metavar="S", help="of the random instants [default: another each time]")
    parser.add_argument("--lares", type=Path, default=ROOT / "target/release/lares", metavar="FILE")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep data, logs and messages there")
    parser.add_argument("--drop", metavar="REGEX", help="take objects of such a key out of the store before the count, to see it fail")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--powercut", action="store_true", help="record a run with strace and lose what it had not flushed, at each of its steps")
    other.add_argument("--trace", action="store_true", help="print the calls with which a segment is written")
    parser.add_argument("--unflushed", metavar="END", help="with --powercut: flushes of such names count for nothing, to see it fail")
    args = parser.parse_args()
    if not 1 <= args.runs <= 10_000:
        parser.error("give 1 to 10000 runs")
    return args


def main() -> int:
    args = arguments()
    seed = random.randrange(1 << 32) if args.seed is None else args.seed
    if not args.lares.exists():
        sys.exit("crash-test: run `make build samples` first")
    print(f"crash-test: seed {seed}", flush=True)
    # To be stopped is to clean up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="lares-crash-") as folder:
        try:
            with Street(args.lares, Path(folder)) as street:
                if args.powercut or args.trace:
                    return with_strace(street, random.Random(seed), args)
                return Test(street, random.Random(seed)).run(args.runs, args.drop)
        except MeasureFailed as error:
            sys.exit(f"crash-test: {error}")
        finally:
            if args.keep:
                ignore = shutil.ignore_patterns("witness", "lares")
                shutil.copytree(folder, args.keep, ignore=ignore, dirs_exist_ok=True)


def with_strace(street: Street, dice: random.Random, args: argparse.Namespace) -> int:
    if not shutil.which("strace"):
        print("crash-test: skipped, there is no strace here: install Debian's strace")
        return 0
    trace = powercut.record(street)
    if args.trace:
        print("\n".join(powercut.sample(street.folder, trace)))
        return 0
    cuts, lines, verdict = powercut.judge(street, trace, dice, args.unflushed)
    for text in verdict.lost:
        print(f"lost: {text}")
    for text in verdict.corrupt:
        print(f"corrupt: {text}")
    print(f"power-cut: {cuts} cuts, {lines} rows committed, {len(verdict.lost)} lost, {len(verdict.corrupt)} corrupt")
    return int(bool(verdict.lost or verdict.corrupt) or not lines)


class Test:
    def __init__(self, street: Street, dice: random.Random):
        self.street = street
        self.dice = dice
        self.promises = Promises()
        self.verdict = Verdict()

    def run(self, runs: int, drop: str | None) -> int:
        begun = time.monotonic()
        phases = Counter()
        for number in range(1, runs + 1):
            phase = self.dice.choices(list(PHASES), PHASES.values())[0]
            with self.street.agent() as agent:
                lines = self.until(phase, agent)
                self.street.kill(agent)
            lines += self.hear(0)
            cut_off = self.promises.cut_off
            self.after_kill(number)
            phases[phase] += 1
            note = f", {self.promises.cut_off - cut_off} committed without a line" if self.promises.cut_off > cut_off else ""
            print(f"[{number}/{runs}] {phase}: {lines} rows committed{note}", flush=True)
        self.drain()
        store = self.street.stored()
        dropped = [key for key in store if drop and re.search(drop, key)]
        for key in dropped:
            print(f"taken out of the store: {key}")
            del store[key]
        self.join(self.promises.at_the_end(self.street.arrived_alerts(), store), "at the end")
        for text in self.verdict.lost:
            print(f"lost: {text}")
        for text in self.verdict.corrupt:
            print(f"corrupt: {text}")
        spread = ", ".join(f"{count} in {phase}" for phase, count in phases.items())
        print(
            f"{len(self.promises.alerts)} alerts and {len(self.promises.objects)} objects promised, {self.promises.cut_off} of them without "
            f"a line; kills: {spread}; {time.monotonic() - begun:.0f} s"
        )
        print(
            f"crash-test: {runs} kills, {self.promises.incidents()} incidents, {self.promises.segments()} segments, "
            f"{len(self.verdict.lost)} lost, {len(self.verdict.corrupt)} corrupt"
        )
        # What saw nothing proves nothing.
        if not self.promises.segments():
            print("crash-test: no row was heard of: build the program with --features crash-test, as make build does")
        return int(bool(self.verdict.lost or self.verdict.corrupt) or not self.promises.segments())

    def hear(self, seconds: float) -> int:
        """Takes the lines that come within that time; how many."""
        end, heard = time.monotonic() + seconds, 0
        while True:
            lines = self.street.read_witness(max(0.0, end - time.monotonic()))
            for line in lines:
                self.promises.add(line)
            heard += len(lines)
            if not lines and time.monotonic() >= end:
                return heard

    def until(self, phase: str, agent: Program) -> int:
        """Waits for the instant of the kill; returns how many lines came before."""
        if phase == "start-up":
            return self.hear(self.dice.uniform(0, 1.5))
        end = time.monotonic() + PATIENCE_S
        if phase == "idle":
            while " watching" not in agent.log.read_text(errors="replace") and time.monotonic() < end:
                agent.must_run()
                time.sleep(0.02)
            return self.hear(self.dice.uniform(0, 2))
        heard = 0
        if phase == "file":
            return self.until_a_name(end)
        if phase == "incident":
            known = self.promises.incidents()
            while self.promises.incidents() == known and time.monotonic() < end:
                heard += self.hear(0.05)
            return heard + self.hear(self.dice.uniform(0, 8))
        # Right after one of the first files of this run.
        known, wanted = self.files(), self.dice.randint(1, 10)
        while self.files() < known + wanted and time.monotonic() < end:
            heard += self.hear(0.01)
        return heard + self.hear(self.dice.choice([0, self.dice.uniform(0, 0.05), self.dice.uniform(0, 0.5)]))

    def until_a_name(self, end: float) -> int:
        """Waits for a file that has its name and not yet its row: between the two there is a millisecond or so."""
        heard = 0
        known = set(self.promises.objects)
        skip = self.dice.randint(0, 6)
        while time.monotonic() < end:
            heard += self.hear(0)
            for key in self.street.names() - known:
                known.add(key)
                if key not in self.promises.objects:
                    skip -= 1
                    if skip < 0:
                        return heard
        return heard

    def files(self) -> int:
        return sum(known.sha256 is not None for known in self.promises.objects.values())

    def after_kill(self, number: int) -> None:
        """Reads the database as the kill left it: a copy, so that the agent itself has to recover it."""
        data = self.street.data
        if not (data / "outbox.db").exists():
            if self.promises.alerts:
                self.verdict.lost.append(f"the database, after kill {number}")
            return
        copy = self.street.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for name in ("outbox.db", "outbox.db-wal"):
            if (data / name).exists():
                shutil.copy2(data / name, copy)
        (copy / "objects").symlink_to(data / "objects")
        self.join(self.street.inspect(copy, self.promises), f"after kill {number}")

    def join(self, verdict: Verdict, when: str) -> None:
        self.verdict.lost.extend(f"{text}, {when}" for text in verdict.lost)
        self.verdict.corrupt.extend(f"{text}, {when}" for text in verdict.corrupt)

    def drain(self) -> None:
        """Without cameras nothing new comes: the agent runs until everything has left."""
        self.street.cameras.__exit__()
        end = time.monotonic() + DRAIN_S
        with self.street.agent() as agent:
            while self.hear(0.5) or self.waiting():
                agent.must_run()
                if time.monotonic() > end:
                    print(f"the outbox has not drained within {DRAIN_S} s", flush=True)
                    break
            os.kill(agent.process.pid, signal.SIGTERM)
            agent.process.wait(30)
        self.hear(0.5)

    def waiting(self) -> int:
        path = self.street.data / "outbox.db"
        if not path.exists():
            return 1
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        try:
            query = "SELECT (SELECT count(*) FROM alert_delivery WHERE waiting) + (SELECT count(*) FROM objects WHERE waiting) + (SELECT count(*) FROM incidents WHERE NOT ended)"
            return db.execute(query).fetchone()[0]
        except sqlite3.OperationalError:
            return 1
        finally:
            db.close()


sys.exit(main())
