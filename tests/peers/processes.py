"""Programs that end with their guard, together with all that they started."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

from eval.replay import ROOT

READY_S = 30
STOP_S = 15


class MeasureFailed(Exception):
    """There are no figures; the text says why and what to do, in one sentence."""


class Program:
    """A program as the leader of a process group of its own. Its standard input stays open as long as the guard."""

    def __init__(self, name: str, command: list, folder: Path, log: Path | None = None):
        """`log`: where it writes what happens, if not to its standard error."""
        self.name = name
        errors = folder / f"{name}.stderr"
        self.log = log or errors
        with errors.open("wb") as stderr:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                # In the checkout's root, where the models and ONNX Runtime are found.
                cwd=ROOT,
                # What it leaves behind goes with the folder.
                env=os.environ | {"TMPDIR": str(folder)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,
            )

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_) -> None:
        """Asks it to end, and ends the whole group when it does not, or leaves somebody behind."""
        if self.process.poll() is None:
            self._signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                pass
        self._signal(signal.SIGKILL)
        self.process.wait(STOP_S)
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def failed(self, what: str) -> MeasureFailed:
        said = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        last = said[-1] if said else "it said nothing"
        return MeasureFailed(f"{self.name} {what}: {last}")

    def must_run(self) -> None:
        if self.process.poll() is not None:
            raise self.failed(f"ended by itself with status {self.process.returncode}")


def virtual_cameras(lares: Path, videos: list[Path], folder: Path) -> tuple[Program, list[str]]:
    """`lares camera` with one camera per video, and their addresses."""
    command = [lares, "camera", "--listen", "127.0.0.1:0", "--until-stdin-closes", *videos]
    program = Program("camera", command, folder)
    # Reading blocks: a camera that never says that it is ready is ended from beside.
    guard = threading.Timer(READY_S, program.process.kill)
    guard.start()
    try:
        urls = []
        for line in program.process.stdout:
            if line.strip() == "ready":
                return program, urls
            # camera N ADDRESS VIDEO
            urls.append(line.split()[2])
        raise program.failed(f"was not ready within {READY_S} s")
    except BaseException:
        program.__exit__()
        raise
    finally:
        guard.cancel()


def wait_until(true, seconds: float, program: Program, what: str) -> None:
    end = time.monotonic() + seconds
    while not true():
        program.must_run()
        if time.monotonic() > end:
            raise program.failed(f"{what} within {seconds:.0f} s")
        time.sleep(0.2)
