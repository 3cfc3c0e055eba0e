"""Two boxes with two cameras each, a hub in the first, nginx before its page, each data folder on a disk of its own."""

import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import requests

from crash.street import free_port, listens
from eval.replay import ROOT
from peers.processes import MeasureFailed, Program, virtual_cameras, wait_until

VIDEO = ROOT / "samples/video/visits.mp4"
START_S = 40
# A box must hold what its cameras give in an hour; both disks are memory.
DISKS_MB = {"home": 1500, "annex": 700}
OWNER = ("anna", "correct horse battery")
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"

BOX = """\
version = 2
site = "{site}"
data_dir = "{data}"
shutdown_timeout = "10 s"
[web]
listen = "127.0.0.1:{web}"
[models]
dir = "{models}"
[outbox]
quota = "{quota} MB"
"""
CAMERA = """\
[[cameras]]
id = "{id}"
url = "{url}"
"""
HUB = """\
[hub]
enabled = true
sites = ["home", "annex"]
listen = "127.0.0.1:{page}"
broker_listen = "127.0.0.1:{broker}"
store_listen = "127.0.0.1:{store}"
quota = "{quota} MB"
"""
REMOTE = """\
[mqtt]
url = "mqtt://127.0.0.1:{broker}"
user = "annex"
password_file = "{key}"
[upload]
url = "s3://lares"
endpoint = "http://127.0.0.1:{store}"
access_key = "annex"
secret_key_file = "{key}"
"""
NGINX = """\
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{page};
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
}}
"""


class Disk:
    """A file system of its own that can be filled, as a memory disk: needs root."""

    def __init__(self, path: Path, megabytes: int):
        self.path = path
        path.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "chaos", path], capture_output=True, text=True)
        if done.returncode:
            raise MeasureFailed(f"cannot mount a small disk ({done.stderr.strip()}): run as root")

    def fill(self) -> None:
        """Takes all that is free. What is written meanwhile finds no room."""
        with (self.path / "ballast").open("ab", buffering=0) as ballast:
            block = bytes(1 << 20)
            while block:
                try:
                    ballast.write(block)
                except OSError:
                    block = block[: len(block) // 2]

    def empty(self) -> None:
        (self.path / "ballast").unlink(missing_ok=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", self.path], check=False)


class Box:
    """A box that can be ended and started again, with a clock that can be moved while it runs."""

    def __init__(self, lares: Path, folder: Path, site: str, config: str):
        self.lares, self.folder, self.site = lares, folder, site
        self.config = folder / f"{site}.toml"
        self.config.write_text(config)
        self.clock = folder / f"{site}.clock"
        self.set_clock(0)
        self.starts = 0
        self.program: Program | None = None

    def set_clock(self, seconds: int) -> None:
        """Moves its wall clock so far from the true time, at once and while it runs."""
        part = self.clock.with_suffix(".part")
        part.write_text(f"{seconds:+d}")
        part.replace(self.clock)

    def start(self) -> Program:
        self.starts += 1
        command = [
            "env",
            f"LD_PRELOAD={FAKETIME}",
            f"FAKETIME_TIMESTAMP_FILE={self.clock}",
            "FAKETIME_CACHE_DURATION=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
            self.lares,
            "run",
            "--config",
            self.config,
        ]
        self.program = Program(f"{self.site}-{self.starts}", command, self.folder)
        return self.program

    def stop(self) -> None:
        if self.program:
            self.program.__exit__()
            self.program = None

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob(f"{self.site}-*.stderr")))


class Page:
    """A household's browser, as far as it asks for documents: logged in once, through the proxy."""

    def __init__(self, port: int):
        self.base = f"http://127.0.0.1:{port}"
        self.session = requests.Session()

    def log_in(self) -> None:
        body = {"name": OWNER[0], "password": OWNER[1]}
        self.session.post(f"{self.base}/api/login", json=body, timeout=20, headers={"Origin": self.base}).raise_for_status()

    def get(self, path: str, seconds: float = 20, **more) -> requests.Response:
        answer = self.session.get(self.base + path, timeout=seconds, **more)
        answer.raise_for_status()
        return answer

    def incidents(self) -> list[dict]:
        """All that the page lists."""
        found, cursor = [], ""
        while True:
            page = self.get(f"/api/incidents?limit=50{cursor}").json()
            found += page["incidents"]
            if not page["next"]:
                return found
            cursor = f"&before={page['next']}"


class Town:
    """Everything, from the first camera to the proxy."""

    def __init__(self, lares: Path, folder: Path):
        # A copy, as somebody may build anew meanwhile.
        self.lares = Path(shutil.copy2(lares, folder))
        self.folder = folder
        self.disks: dict[str, Disk] = {}
        self.boxes: dict[str, Box] = {}
        self.ports: dict[str, int] = {}
        # Which box was started again, and when.
        self.restarts: list[tuple[str, float]] = []
        self.stack = ExitStack()

    def __enter__(self) -> "Town":
        with ExitStack() as starting:
            self._start(starting)
            self.stack = starting.pop_all()
        return self

    def __exit__(self, *_) -> None:
        self.stack.close()

    def _start(self, stack: ExitStack) -> None:
        names = ["page", "broker", "store", "proxy", "web-home", "web-annex"]
        self.ports = {name: free_port() for name in names}
        for site, megabytes in DISKS_MB.items():
            self.disks[site] = Disk(self.folder / f"disk-{site}", megabytes)
            stack.callback(self.disks[site].unmount)
        self.cameras, urls = virtual_cameras(self.lares, [VIDEO] * 4, self.folder)
        stack.push(self.cameras)
        self._boxes(urls, stack)
        home, annex = self.boxes["home"], self.boxes["annex"]
        self._owner(home)
        home.start()
        key = self.key
        wait_until(key.exists, START_S, home.program, "made no key for its second site")
        wait_until(lambda: listens(self.ports["page"]), START_S, home.program, "opened no page")
        annex.start()
        self._proxy(stack)
        self.page = Page(self.ports["proxy"])
        self.page.log_in()

    @property
    def key(self) -> Path:
        return self.disks["home"].path / "data/hub/keys/site-annex"

    def _boxes(self, urls: list[str], stack: ExitStack) -> None:
        ports = self.ports
        for site, own in (("home", urls[:2]), ("annex", urls[2:])):
            # Quotas are not what is tested: they leave room for everything.
            quota = DISKS_MB[site] // 2 - 100
            cameras = "".join(CAMERA.format(id=f"{site}{n}", url=url) for n, url in enumerate(own, 1))
            config = BOX.format(
                site=site, data=self.disks[site].path / "data", web=ports[f"web-{site}"], models=ROOT / "models", quota=quota
            )
            if site == "home":
                hub = HUB.format(page=ports["page"], broker=ports["broker"], store=ports["store"], quota=quota)
            else:
                hub = REMOTE.format(broker=ports["broker"], store=ports["store"], key=self.key)
            self.boxes[site] = Box(self.lares, self.folder, site, config + cameras + hub)
            stack.callback(self.boxes[site].stop)

    def _owner(self, box: Box) -> None:
        command = [self.lares, "hub", "--config", box.config, "account", "add", OWNER[0]]
        subprocess.run(command, input=OWNER[1] + "\n", text=True, check=True, capture_output=True, timeout=START_S, cwd=ROOT)

    def _proxy(self, stack: ExitStack) -> None:
        folder = self.folder / "nginx"
        folder.mkdir()
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=self.ports["proxy"], page=self.ports["page"]))
        program = stack.enter_context(Program("nginx", ["nginx", "-c", folder / "nginx.conf", "-e", folder / "error.log"], self.folder))
        wait_until(lambda: listens(self.ports["proxy"]), START_S, program, "did not listen")
