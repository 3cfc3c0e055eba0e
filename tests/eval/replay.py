"""Runs `lares replay` and remembers what it gave, so that a second evaluation runs only what changed."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .truth import Boxes, read_boxes

ROOT = Path(__file__).resolve().parents[2]
# The slowest clip takes a few minutes on a busy machine; what takes longer hangs.
TIMEOUT_S = 1800


class ReplayFailed(Exception):
    """`lares replay` did not do its work."""


@dataclass(frozen=True)
class Run:
    """What one replay gave."""

    events: list[dict]
    summary: dict
    stderr: list[str]
    # Only with `boxes`.
    seen: Boxes | None
    cached: bool
    # Whether more work waited for a core than there are cores: CPU seconds are then too high.
    busy: bool


@dataclass(frozen=True)
class Job:
    """One replay to be done: on demand as in the home, or with boxes on the fixed grid."""

    video: Path
    boxes: bool = False
    # Text of a configuration file; None: the defaults.
    config: str | None = None


class Lares:
    """One build with its model cards, and the folder where its answers are kept."""

    def __init__(self, binary: Path, kept: Path):
        self._kept = kept.resolve()
        self._kept.mkdir(parents=True, exist_ok=True)
        # A copy, as somebody may build anew while the replays go on.
        self._folder = tempfile.TemporaryDirectory(prefix="lares-eval-")
        self._binary = Path(shutil.copy2(binary, self._folder.name))
        digest = hashlib.sha256(self._binary.read_bytes())
        self.sha256 = digest.hexdigest()
        # A card holds the sha256 of its model.
        for card in sorted((ROOT / "models").glob("*.toml")):
            digest.update(card.read_bytes())
        self._build = digest.hexdigest()

    def run(self, job: Job) -> Run:
        """From what was kept where nothing changed.

        Raises `ReplayFailed` where the video could not be replayed.
        """
        stem = self._kept / self._key(job)
        answer, boxes = stem.with_suffix(".json"), stem.with_suffix(".mot")
        cached = answer.exists() and (boxes.exists() or not job.boxes)
        if not cached:
            self._replay(job, answer, boxes)
        kept = json.loads(answer.read_text())
        lines = [json.loads(line) for line in kept["stdout"].splitlines()]
        return Run(
            [line for line in lines if line["type"] == "event"],
            next(line for line in lines if line["type"] == "summary"),
            kept["stderr"].splitlines(),
            read_boxes(boxes) if job.boxes else None,
            cached,
            kept["busy"],
        )

    def _key(self, job: Job) -> str:
        found = job.video.stat()
        parts = [self._build, str(job.video.resolve()), found.st_mtime_ns, found.st_size]
        parts += [job.boxes, job.config]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]

    def _replay(self, job: Job, answer: Path, boxes: Path) -> None:
        """The answer is written last and renamed into place: one that is there is whole."""
        # To explain costs nothing, and is there when a failure asks for it.
        command = [self._binary, "replay", "--json", "--explain"]
        if job.boxes:
            command += ["--mot", boxes]
        if job.config is not None:
            config = answer.with_suffix(".toml")
            config.write_text(job.config)
            command += ["--config", config]
        command += [job.video.resolve()]
        try:
            # In the checkout's root, where the models and ONNX Runtime are found.
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise ReplayFailed(f"{job.video}: lares replay did not end within {TIMEOUT_S} s") from error
        if done.returncode != 0:
            raise ReplayFailed(f"{job.video}: lares replay gave status {done.returncode}: {done.stderr.strip()}")
        part = answer.with_suffix(".part")
        busy = os.getloadavg()[0] > (os.cpu_count() or 1) + 1
        part.write_text(json.dumps({"stdout": done.stdout, "stderr": done.stderr, "busy": busy}))
        part.replace(answer)
