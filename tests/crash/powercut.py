"""The power goes at any call of a recorded run: what was told before must be on what is left of the disk."""

import json
import os
import random
import shutil
import time
from pathlib import Path

from peers.processes import MeasureFailed, Program

from .disk import Disk
from .promises import Promises, Verdict
from .strace import COMMAND, Call, calls
from .street import Street

RECORD_S = 25


def record(street: Street) -> Path:
    """Runs the agent under strace for a while."""
    trace = street.folder / "trace"
    command = [*COMMAND, trace, "env", f"LARES_WITNESS={street.pipe}", street.lares, "run", "--config", street.folder / "lares.toml"]
    with Program("strace", command, street.folder) as program:
        end = time.monotonic() + RECORD_S
        while time.monotonic() < end:
            program.must_run()
            # Or the pipe fills up.
            street.read_witness(0.2)
    return trace


class Replay:
    """Plays the calls of a run below `folder` to a disk. Lines of the witness come up in `told`."""

    def __init__(self, folder: Path, unflushed: str | None = None):
        """`unflushed`: flushes of files and folders with such an end of their name count for nothing."""
        self.folder = str(folder.resolve())
        self.unflushed = unflushed
        self.disk = Disk()
        self.told: list[dict] = []
        # Positions of descriptors that are written without saying where, and the disk's time after each call.
        self.positions: dict[int, int] = {}
        self.times = [0]

    def below(self, path: str) -> str | None:
        """The path on the disk, of what is kept in the data folder."""
        path = os.path.join(self.folder, path)
        inside = path == self.folder or path.startswith(self.folder + "/data")
        # Readers' shared memory is made anew at each start.
        return (path.removeprefix(self.folder) or "/") if inside and not path.endswith("-shm") else None

    def play(self, call: Call) -> bool:
        """True when a line was told by it."""
        told = self._play(call)
        self.times.append(self.disk.now)
        return told

    def _play(self, call: Call) -> bool:
        if call.name == "write" and call.file == f"{self.folder}/witness":
            self.told.append(json.loads(call.data))
            return True
        disk, paths = self.disk, [self.below(path) for path in call.paths]
        file = self.below(call.file) if call.file else None
        match call.name:
            case "openat" if file:
                self.positions[call.fd] = 0
                if "O_CREAT" in call.rest:
                    disk.make(file)
                if "O_TRUNC" in call.rest:
                    disk.truncate(file, 0)
            case "write" | "writev" if file:
                position = self.positions.get(call.fd, 0)
                self.positions[call.fd] = position + call.result
                disk.write(file, position, call.data[: call.result])
            case "pwrite64" | "pwritev" if file:
                disk.write(file, int(call.rest.rsplit(",", 1)[-1].strip(" ]")), call.data[: call.result])
            case "ftruncate" if file:
                disk.truncate(file, int(call.rest.rsplit(",", 1)[-1]))
            case "rename" | "renameat" | "renameat2" if paths[0]:
                disk.rename(*paths)
            case "unlink" | "unlinkat" | "rmdir" if paths[0]:
                disk.remove(paths[0])
            case "mkdir" | "mkdirat" if paths[0]:
                disk.make(paths[0], folder=True)
            case "fsync" | "fdatasync" if file and not (self.unflushed and file.endswith(self.unflushed)):
                disk.flush(file, self.times[call.began])
        return False


def judge(street: Street, trace: Path, dice: random.Random, unflushed: str | None) -> tuple[int, int, Verdict]:
    """Cuts the power after each line and at as many other calls. Returns how many cuts and lines there were."""
    replay, verdict, cuts = Replay(street.folder, unflushed), Verdict(), 0
    for call in calls(trace):
        before = replay.disk.now
        told = replay.play(call)
        # And now and then at a call that changed something.
        if told or replay.disk.now > before and dice.random() < 0.05:
            for some in (None, dice):
                cuts += 1
                found = look(street, replay, some)
                when = f"power cut {cuts}, after {len(replay.told)} lines"
                verdict.lost.extend(f"{text}, {when}" for text in found.lost)
                verdict.corrupt.extend(f"{text}, {when}" for text in found.corrupt)
    return cuts, len(replay.told), verdict


def look(street: Street, replay: Replay, dice: random.Random | None) -> Verdict:
    """What is left, against what was told."""
    left = street.folder / "left"
    shutil.rmtree(left, ignore_errors=True)
    replay.disk.after_cut(left, dice)
    promises = Promises()
    for line in replay.told:
        promises.add(line)
    data = left / "data"
    if not (data / "outbox.db").exists() or not (data / "outbox.db").stat().st_size:
        return promises.after_kill([], [])
    return street.inspect(data, promises)


def sample(folder: Path, trace: Path) -> list[str]:
    """The calls of the first segment, from its file to its line; writes one after the other to one file are added up."""
    replay = Replay(folder)
    # Name, file, calls and bytes.
    taken: list[tuple[str, str, int, int]] = []
    for call in calls(trace):
        path = call.file or (call.paths or [""])[0]
        name = path.rsplit("/", 1)[-1]
        told = path.endswith("/witness")
        if not taken and name != ".00001.m4s.part":
            continue
        if not told and replay.below(path) is None or call.name == "openat" and "O_CREAT" not in call.rest:
            continue
        if call.name.startswith("rename"):
            name += ", " + call.paths[1].rsplit("/", 1)[-1]
        elif told:
            line = json.loads(call.data)
            name += f", {{\"kind\":\"{line['kind']}\", ... \"key\":\".../{line['key'].rsplit('/', 1)[-1]}\", ...}}" if "key" in line else ", {...}"
        last = taken[-1] if taken else None
        if call.data and not told and last and last[:2] == (call.name, name):
            taken[-1] = (*last[:2], last[2] + 1, last[3] + len(call.data))
        else:
            taken.append((call.name, name, 1, 0 if told else len(call.data)))
        if told and b"00001.m4s" in call.data:
            return [f"{name}({file})" + (f"  {times} x, {size} bytes" if size else "") for name, file, times, size in taken]
    raise MeasureFailed("no segment was written while strace looked on: run it again")
