"""One measurement of Lares, and one of motion, on the same video."""

import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from .cases import Case
from .processes import READY_S, MeasureFailed, Program, virtual_cameras, wait_until
from .sampler import Watched, watch

# Sessions begin, backgrounds are learnt. `lares bench` has the same.
WARM_UP_S = 10
# Until `lares bench` has begun to count, on a busy machine, and after it has stopped.
BENCH_START_S, BENCH_END_S = 5, 60
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Measured:
    """CPU seconds per camera second, and megabytes."""

    cpu: float
    rss_mb: float
    pss_mb: float
    # Processes that ran or waited for a core, over the last minute.
    load: float
    limits: dict[str, float] = field(default_factory=dict)
    details: dict = field(default_factory=dict)


def measure_lares(lares: Path, case: Case, seconds: int, folder: Path) -> Measured:
    """`lares bench` has the plain pipelines beside it and measures by itself; /proc is read from here to check it."""
    command = [lares, "bench", "--json", "--cameras", case.cameras, "--seconds", seconds, case.video]
    with Program("bench", command, folder) as program:
        time.sleep(WARM_UP_S + BENCH_START_S)
        # Its children are its neighbours (cameras, broker, plain pipelines), not the agent.
        watched = watch(program, seconds - BENCH_START_S, with_children=False)
        try:
            output, _ = program.process.communicate(timeout=BENCH_END_S)
        except subprocess.TimeoutExpired:
            raise program.failed(f"did not end within {BENCH_END_S} s") from None
        if program.process.returncode != 0:
            raise program.failed(f"gave status {program.process.returncode}")
    figures = json.loads(output)
    if figures["source_bytes"] == 0:
        raise MeasureFailed("bench: the agent received nothing from its virtual camera: look at `lares bench` by hand")
    details = figures | {"cpu_by_proc": round(watched.cpu_per_s / case.cameras, 5)}
    return _measured(figures["cpu_s_per_camera_s"], watched, figures["limits"], details)


def measure_motion(motion: str, lares: Path, case: Case, seconds: int, folder: Path) -> Measured:
    cameras, urls = virtual_cameras(lares, [case.video] * case.cameras, folder)
    with cameras:
        measured = _measure_motion([motion, "-n", "-c", write_config(case, urls, folder)], case, seconds, folder)
        cameras.must_run()
    return measured


def _measure_motion(command: list, case: Case, seconds: int, folder: Path) -> Measured:
    log = folder / "motion.log"

    def told(text: str) -> int:
        return log.read_text(errors="replace").count(text) if log.exists() else 0

    def connections() -> int:
        return told(") connected")

    with Program("motion", command, folder, log) as program:
        wait_until(lambda: connections() >= case.cameras, READY_S, program, "did not connect to its cameras")
        time.sleep(WARM_UP_S)
        watched = watch(program, seconds, with_children=True)
        if connections() != case.cameras:
            raise program.failed("lost a camera while it was measured")
        kept = list((folder / "events").iterdir())
        details = {
            "events": told("starting event"),
            "movie_bytes": sum(file.stat().st_size for file in kept if file.suffix == ".mp4"),
            "pictures": sum(file.suffix == ".jpg" for file in kept),
        }
    if not case.idle and details["movie_bytes"] == 0:
        raise program.failed("recorded nothing of a busy scene")
    return _measured(watched.cpu_per_s / case.cameras, watched, {}, details)


def write_config(case: Case, urls: list[str], folder: Path) -> Path:
    (folder / "events").mkdir()
    files = []
    for number, url in enumerate(urls, start=1):
        files.append(folder / f"camera{number}.conf")
        values = {"number": number, "url": url, "width": case.width, "height": case.height}
        files[-1].write_text(Template((HERE / "camera.conf").read_text()).substitute(values))
    main = folder / "motion.conf"
    values = {"folder": folder, "cameras": "\n".join(f"camera {file}" for file in files)}
    main.write_text(Template((HERE / "motion.conf").read_text()).substitute(values))
    return main


def _measured(cpu: float, watched: Watched, limits: dict, details: dict) -> Measured:
    load = os.getloadavg()[0]
    return Measured(round(cpu, 5), round(watched.rss_mb, 1), round(watched.pss_mb, 1), load, limits, details)
