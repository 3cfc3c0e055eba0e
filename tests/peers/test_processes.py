"""Programs end with their guard, and motion's configuration is whole."""

import os
import tempfile
import time
import unittest
from pathlib import Path

from peers.agents import write_config
from peers.cases import Case
from peers.processes import MeasureFailed, Program, wait_until


class Guards(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def shell(self, script: str) -> Program:
        return Program("shell", ["sh", "-c", script], self.folder)

    def test_what_a_program_started_ends_with_it_even_when_we_are_interrupted(self):
        with self.assertRaises(KeyboardInterrupt), self.shell("sleep 60 & echo $!; wait") as program:
            child = int(program.process.stdout.readline())
            raise KeyboardInterrupt
        self.assertTrue(ended(child))

    def test_one_that_ends_by_itself_is_told_with_its_last_words(self):
        with self.shell("echo first >&2; echo the reason >&2; exit 3") as program:
            program.process.wait(10)
            with self.assertRaisesRegex(MeasureFailed, "shell ended by itself with status 3: the reason"):
                program.must_run()

    def test_waiting_ends(self):
        with self.shell("sleep 60") as program, self.assertRaisesRegex(MeasureFailed, "was not ready within 0 s"):
            wait_until(lambda: False, 0, program, "was not ready")

    def test_motion_gets_a_file_per_camera_and_every_place_is_filled(self):
        main = write_config(Case("two", "x.mp4", 768, 576, cameras=2), ["rtsp://a", "rtsp://b"], self.folder)
        self.assertIn(f"camera {self.folder}/camera2.conf\n", main.read_text() + "\n")
        second = (self.folder / "camera2.conf").read_text()
        self.assertIn("netcam_url rtsp://b\n", second)
        self.assertIn("width 768\n", second)
        self.assertNotIn("$", main.read_text() + second)


def ended(pid: int) -> bool:
    """An orphan's entry stays for the moment until its new parent has waited for it."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False
