"""The agent and its neighbours: virtual cameras, mosquitto, a receiver of webhooks, an S3 endpoint, and a pipe that hears of every commit."""

import json
import os
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import boto3

from eval.replay import ROOT
from peers.processes import Program, virtual_cameras, wait_until

from .promises import Promises, Verdict

SITE = "crash"
BUCKET = "clips"
SECRET = "crash-test"
WEBHOOK_SECRET = "crash-test-of-alerts"
VIDEOS = ROOT / "samples/video"
START_S = 30

# Visits that are over soon, clips that begin soon: much happens between two kills.
CONFIG = """\
version = 2
site = "{site}"
data_dir = "data"
shutdown_timeout = "10 s"
[web]
listen = "off"
[models]
dir = "{models}"
{cameras}
[mqtt]
url = "mqtt://127.0.0.1:{broker}"
keep_alive = "5 s"
[webhook]
url = "http://127.0.0.1:{webhook}/alerts"
secret_file = "webhook.secret"
[upload]
url = "s3://{bucket}"
endpoint = "{endpoint}"
access_key = "{secret}"
secret_key_file = "s3.secret"
"""
CAMERA = """\
[[cameras]]
id = "{id}"
url = "{url}"
[cameras.incident]
end_after_left = "1 s"
[cameras.clip]
pre_roll = "1 s"
post_roll = "1 s"
segment_target = "1 s"
"""
BROKER = """\
listener {port} 127.0.0.1
allow_anonymous true
user root
persistence true
persistence_location {folder}/
autosave_interval 30
max_queued_messages 0
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def cut(video: str, start: int, seconds: int, to: Path) -> Path:
    """Part of a sample, from a keyframe on, not encoded anew."""
    command = ["ffmpeg", "-v", "error", "-y", "-ss", str(start), "-i", str(VIDEOS / video), "-t", str(seconds), "-an", "-c", "copy", str(to)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=60)
    return to


class Street:
    """Everything but the agent runs from the beginning to the end, in a folder of its own."""

    def __init__(self, lares: Path, folder: Path):
        # A copy, as somebody may build anew meanwhile.
        self.lares = Path(shutil.copy2(lares, folder))
        self.folder = folder
        self.data = folder / "data"
        self.messages = folder / "messages"
        self.requests = folder / "requests"
        self.pipe = folder / "witness"
        self.starts = 0
        self.partial = b""
        self.stack = ExitStack()

    def __enter__(self) -> "Street":
        with ExitStack() as starting:
            self._start(starting)
            self.stack = starting.pop_all()
        return self

    def __exit__(self, *_) -> None:
        self.stack.close()

    def _start(self, stack: ExitStack) -> None:
        os.mkfifo(self.pipe)
        # For both ways, so that it neither waits for a writer nor ends with one.
        self.witness = os.open(self.pipe, os.O_RDWR | os.O_NONBLOCK)
        stack.callback(os.close, self.witness)

        # Somebody leaves after five seconds; and a place that is never empty.
        visit = cut("visits.mp4", 12, 10, self.folder / "visit.mp4")
        self.cameras, urls = virtual_cameras(self.lares, [visit, VIDEOS / "vtest-h264.mp4"], self.folder)
        stack.push(self.cameras)

        broker, s3 = free_port(), free_port()
        (self.folder / "mosquitto.conf").write_text(BROKER.format(port=broker, folder=self.folder))
        program = stack.enter_context(Program("mosquitto", ["/usr/sbin/mosquitto", "-c", self.folder / "mosquitto.conf"], self.folder))
        wait_until(lambda: listens(broker), START_S, program, "did not listen")
        # Its session outlives its connection, so that nothing is missed.
        subscribe = f"exec mosquitto_sub -V mqttv5 -p {broker} -c -i crash-test -q 1 -t 'lares/#' -F '%t %x' > {self.messages}"
        program = stack.enter_context(Program("mosquitto_sub", ["sh", "-c", subscribe], self.folder))
        probe = ["mosquitto_pub", "-V", "mqttv5", "-p", str(broker), "-q", "1", "-t", "lares/test/ready", "-m", "?"]

        def subscribed() -> bool:
            subprocess.run(probe, check=True, timeout=START_S)
            return self.messages.stat().st_size > 0

        wait_until(subscribed, START_S, program, "did not subscribe")
        program = stack.enter_context(Program("moto", [ROOT / ".venv/bin/moto_server", "-H", "127.0.0.1", "-p", s3], self.folder))
        wait_until(lambda: listens(s3), START_S, program, "did not listen")
        endpoint = f"http://127.0.0.1:{s3}"
        self.s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=SECRET, aws_secret_access_key=SECRET)
        self.s3.create_bucket(Bucket=BUCKET)

        (self.folder / "webhook.secret").write_text(WEBHOOK_SECRET)
        receive = [sys.executable, ROOT / "tests/webhook.py", self.folder / "webhook.secret", self.requests]
        program = stack.enter_context(Program("webhook", receive, self.folder))
        webhook = int(program.process.stdout.readline())

        (self.folder / "s3.secret").write_text(SECRET)
        cameras = "".join(CAMERA.format(id=id, url=url) for id, url in zip(["door", "plaza"], urls, strict=True))
        config = CONFIG.format(
            site=SITE, models=ROOT / "models", cameras=cameras, broker=broker, webhook=webhook, bucket=BUCKET, endpoint=endpoint, secret=SECRET
        )
        (self.folder / "lares.toml").write_text(config)

    def agent(self) -> Program:
        """`lares run`, just started. Its log is a file of its own for each start."""
        self.starts += 1
        # By env, as Program takes the environment as it is.
        command = ["env", f"LARES_WITNESS={self.pipe}", self.lares, "run", "--config", self.folder / "lares.toml"]
        return Program(f"agent-{self.starts}", command, self.folder)

    def kill(self, agent: Program) -> None:
        """Ends it without a word, as a power cut does."""
        agent.must_run()
        os.kill(agent.process.pid, signal.SIGKILL)
        agent.process.wait(START_S)
        agent.__exit__()

    def inspect(self, data: Path, promises: Promises) -> Verdict:
        """An outbox as a cut has left it, against what was promised."""
        check = subprocess.run([self.lares, "outbox", "--data-dir", data, "check"], capture_output=True, text=True, timeout=60)
        faults = (check.stdout + check.stderr).strip().splitlines() if check.returncode else []
        db = sqlite3.connect(data / "outbox.db")
        try:
            alerts = db.execute("SELECT incident, seq, state, facts FROM alerts").fetchall()
            objects = db.execute("SELECT key, kind, version, sha256 FROM objects").fetchall()
        except sqlite3.DatabaseError as error:
            return Verdict(corrupt=[*faults, f"the database cannot be read: {error}"])
        finally:
            db.close()
        verdict = promises.after_kill(alerts, objects)
        verdict.corrupt.extend(faults)
        return verdict

    def read_witness(self, seconds: float) -> list[dict]:
        """The lines that come within that time, or that are there already."""
        if not select.select([self.witness], [], [], seconds)[0]:
            return []
        self.partial += os.read(self.witness, 1 << 20)
        *lines, self.partial = self.partial.split(b"\n")
        return [json.loads(line) for line in lines]

    def names(self) -> set[str]:
        """Keys of the segments and headers that have their names on the agent's disk, in the folders of the newest incidents."""
        objects, found = self.data / "objects", set()
        for day in objects.glob(f"v1/{SITE}/*/*"):
            for incident in sorted(os.listdir(day))[-2:]:
                folder = day / incident / "sub"
                try:
                    names = os.listdir(folder)
                except FileNotFoundError:
                    continue
                key = folder.relative_to(objects)
                found.update(f"{key}/{name}" for name in names if name.endswith((".mp4", ".m4s")))
        return found

    def arrived_alerts(self) -> dict[str, list[dict]]:
        """The alerts that broker and webhook have taken, in order, duplicates too."""
        lines = self.messages.read_text().splitlines()
        parts = (line.split(" ") for line in lines)
        passed_on = [json.loads(bytes.fromhex(payload)) for topic, payload in parts if topic.endswith("/incident")]
        requests = [json.loads(line) for line in self.requests.read_text().splitlines()]
        # 409: it has been here. Anything else would be a request that its receiver does not trust.
        posted = [json.loads(request["body"]) for request in requests if request["status"] in (204, 409)]
        return {"the broker": passed_on, "the webhook": posted}

    def stored(self) -> dict[str, bytes]:
        """Everything in the store."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {key: self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


def listens(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


