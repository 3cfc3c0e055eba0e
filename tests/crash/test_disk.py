"""That the disk forgets: each flush that is left out is missed."""

import random
import tempfile
import unittest
from pathlib import Path

from .disk import Disk
from .strace import parse

STEPS = ["make", "write", "flush file", "rename", "flush folder"]


def after(steps: list[str]) -> dict[str, bytes]:
    """What is left of a file that was written by these steps."""
    disk = Disk()
    disk.make("/data", folder=True)
    disk.flush("/", disk.now)
    for step in steps:
        match step:
            case "make":
                disk.make("/data/.a.part")
            case "write":
                disk.write("/data/.a.part", 0, b"whole")
            case "flush file":
                disk.flush("/data/.a.part", disk.now)
            case "rename":
                disk.rename("/data/.a.part", "/data/a")
            case "flush folder":
                disk.flush("/data", disk.now)
    with tempfile.TemporaryDirectory() as folder:
        disk.after_cut(Path(folder))
        return {path.name: path.read_bytes() for path in (Path(folder) / "data").iterdir()}


class DiskTest(unittest.TestCase):
    def test_all_steps(self):
        self.assertEqual(after(STEPS), {"a": b"whole"})

    def test_each_flush_matters(self):
        self.assertEqual(after([step for step in STEPS if step != "flush file"]), {"a": b""})
        self.assertEqual(after([step for step in STEPS if step != "flush folder"]), {})

    def test_a_folder_is_lost_with_all_that_is_in_it(self):
        disk = Disk()
        disk.make("/data", folder=True)
        disk.make("/data/a")
        disk.flush("/data", disk.now)
        with tempfile.TemporaryDirectory() as folder:
            disk.after_cut(Path(folder))
            self.assertEqual(list(Path(folder).iterdir()), [])

    def test_what_comes_after_the_beginning_of_a_flush_is_not_flushed(self):
        disk = Disk()
        disk.make("/a")
        disk.flush("/", disk.now)
        disk.write("/a", 0, b"before")
        began = disk.now
        disk.write("/a", 6, b"after")
        disk.truncate("/a", 3)
        disk.flush("/a", began)
        with tempfile.TemporaryDirectory() as folder:
            disk.after_cut(Path(folder))
            self.assertEqual((Path(folder) / "a").read_bytes(), b"before")
            some = set()
            for seed in range(40):
                disk.after_cut(Path(folder), random.Random(seed))
                some.add((Path(folder) / "a").read_bytes())
            self.assertEqual(some, {b"before", b"beforeafter", b"bef"})


class StraceTest(unittest.TestCase):
    def test_a_write(self):
        path, data = (text.encode().hex(" ").split() for text in ("/d/outbox.db-wal", "row"))
        path, data = ("".join(f"\\x{byte}" for byte in text) for text in (path, data))
        call = parse(f'pwrite64(14<{path}>, "{data}", 3, 4096) = 3', 7)
        self.assertEqual((call.name, call.file, call.fd, call.data, call.began), ("pwrite64", "/d/outbox.db-wal", 14, b"row", 7))
        self.assertEqual(call.rest, ", 3, 4096")

    def test_what_failed_is_no_call(self):
        self.assertIsNone(parse('mkdir("\\x2f", 0777) = -1 EEXIST (File exists)', 0))
