"""`--compare`: the same clips under several policies of looking."""

from concurrent.futures import ThreadPoolExecutor

from .clips import Clip
from .measure import Measured, measure, replay
from .replay import Lares
from .sizes import pooled_precision
from .tables import Table, shown

# What to compare: a name, and the whole text of a configuration file (None: the defaults).
CAMERA = 'version = 2\n[[cameras]]\nurl = "rtsp://replay/"\n[cameras.detect]\n'
POLICIES: dict[str, str | None] = {
    "the whole, and closer where small": None,
    "the whole only": CAMERA + 'roi = "whole"\n',
    "a region around each thing": CAMERA + 'roi = "regions"\n',
}

COMPARED_GROUPS = ("vtest", "size")


def compare(lares: Lares, clips: list[Clip], jobs: int) -> Table:
    """Boxes, runs and costs on vtest; visits, boxes and runs on the size scenes."""
    clips = [clip for clip in clips if clip.group in COMPARED_GROUPS]
    pairs = [(policy, clip) for policy in POLICIES for clip in clips]
    with ThreadPoolExecutor(jobs) as pool:
        replays = list(pool.map(lambda pair: replay(lares, pair[1], config=POLICIES[pair[0]]), pairs))
    measured: dict[str, list[Measured]] = {policy: [] for policy in POLICIES}
    for (policy, clip), done in zip(pairs, replays):
        measured[policy].append(measure(clip, done))
    columns = ["policy", "vtest AP@0.5", "AP@0.5:0.95", "identities", "runs/s", "CPU s/s"]
    columns += ["sizes found", "AP@0.5", "runs/s", "CPU s/s"]
    return Table("Policies of looking", columns, [[p, *_vtest(m), *_sizes(m)] for p, m in measured.items()])


def _vtest(measured: list[Measured]) -> list[str]:
    for m in (m for m in measured if m.clip.group == "vtest"):
        p = m.boxes.precision
        figures = [shown(p.ap50, 3), shown(p.ap, 3), str(m.boxes.tracking.identities)]
        return [*figures, shown(m.runs_per_s), shown(m.cpu_per_s, 4)]
    return ["-"] * 5


def _sizes(measured: list[Measured]) -> list[str]:
    scenes = [m for m in measured if m.clip.group == "size"]
    if not scenes:
        return ["-"] * 4
    found, visits = sum(m.matched.found for m in scenes), sum(len(m.matched.visits) for m in scenes)
    seconds = sum(m.video_s for m in scenes)
    pooled = pooled_precision(scenes)
    runs = sum(m.runs_per_s * m.video_s for m in scenes) / seconds
    cpu = sum(m.cpu_per_s * m.video_s for m in scenes) / seconds
    return [f"{found} of {visits}", shown(pooled and pooled.ap50, 3), shown(runs), shown(cpu, 4)]
