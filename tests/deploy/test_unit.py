"""The systemd unit keeps what hardens it, and the program lives with that."""

import ctypes
import ctypes.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from . import DEVELOPERS, LARES, ROOT, sandbox
from .unit import Unit

UNIT = Unit(ROOT / "deploy/lares.service")
DROPINS = sorted((ROOT / "deploy/systemd").glob("*.conf"))

# What must not go. A weaker value needs a reason in the unit and a change here.
HELD = {
    "Type": "notify",
    "NotifyAccess": "main",
    "User": "lares",
    "Group": "lares",
    "UMask": "0077",
    "StateDirectory": "lares",
    "StateDirectoryMode": "0700",
    "CacheDirectory": "lares",
    "CacheDirectoryMode": "0700",
    "KillMode": "mixed",
    "LimitCORE": "0",
    "Restart": "on-failure",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "PrivateUsers": "yes",
    "PrivateIPC": "yes",
    "ProtectProc": "invisible",
    "ProtectClock": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "KeyringMode": "private",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "RemoveIPC": "yes",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX AF_NETLINK",
    "SystemCallArchitectures": "native",
    "SystemCallErrorNumber": "EPERM",
}
# Of 10; systemd-analyze calls up to 2 "OK".
WORST_EXPOSURE = 2.0


def seconds(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)\s*(s|min)?", text).groups()
    return int(number) * (60 if unit == "min" else 1)


class TheUnit(unittest.TestCase):
    def test_hardening_stays(self):
        for key, value in HELD.items():
            self.assertEqual(UNIT.all(key), [value], key)
        self.assertEqual(UNIT.all("SystemCallFilter"), ["@system-service", "~@privileged @resources", "capset"])
        # ONNX Runtime reports to its maker without it.
        self.assertIn("ORT_DISABLE_TELEMETRY=1", UNIT.all("Environment"))
        # ProtectSystem=strict says it, and draw-areas.conf could not take ReadOnlyPaths back.
        self.assertEqual(UNIT.all("ReadOnlyPaths") + UNIT.all("ReadWritePaths"), [])

    def test_times_fit_the_program(self):
        sample = (ROOT / "deploy/lares.sample.toml").read_text()
        grace = re.search(r'^shutdown_timeout = "(.*)"', sample, re.MULTILINE).group(1)
        self.assertGreater(seconds(UNIT.last("TimeoutStopSec")), seconds(grace))
        # Silence of a minute counts, and signs of life go out twice in that time.
        self.assertGreaterEqual(seconds(UNIT.last("WatchdogSec")), 120)

    def test_dropins_change_what_they_say(self):
        self.assertEqual(
            [path.name for path in DROPINS], ["draw-areas.conf", "hardware-decoder.conf", "upload-folder.conf"]
        )
        hardware = Unit(ROOT / "deploy/systemd/hardware-decoder.conf")
        self.assertEqual(hardware.last("PrivateDevices"), "no")
        self.assertEqual(hardware.last("DevicePolicy"), "closed")
        self.assertIn("char-drm rw", hardware.all("DeviceAllow"))
        for path in DROPINS:
            for section, key, _ in Unit(path).lines:
                self.assertIn(section, ("Unit", "Service"))
                self.assertNotIn(key, ("User", "NoNewPrivileges", "CapabilityBoundingSet", "ProtectSystem"), path.name)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_systemd_reads_it_and_finds_it_tight(self):
        with tempfile.TemporaryDirectory() as folder:
            # The program in its place need not exist on this machine.
            text = UNIT.path.read_text().replace("/usr/bin/lares", "/bin/true")
            unit = Path(folder) / "lares.service"
            unit.write_text(text)
            for dropin in DROPINS:
                target = Path(folder) / "lares.service.d" / dropin.name
                target.parent.mkdir(exist_ok=True)
                target.write_text(dropin.read_text())
            done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
            ours = [line for line in done.stderr.splitlines() if "lares" in line]
            self.assertEqual((done.returncode, ours), (0, []), done.stderr)
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT.path)],
            capture_output=True,
            text=True,
        )
        if "unrecognized option" in done.stderr:
            self.skipTest("this systemd-analyze cannot judge a file")
        exposure = re.search(r"Overall exposure level for lares.service: ([\d.]+)", done.stdout)
        self.assertIsNotNone(exposure, done.stdout + done.stderr)
        self.assertLessEqual(float(exposure.group(1)), WORST_EXPOSURE, done.stdout)


def filters_can_be_installed() -> bool:
    if not shutil.which("systemd-analyze"):
        return False
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return False
    return True


@unittest.skipUnless(filters_can_be_installed(), "systemd-analyze or libseccomp2 is not installed")
class UnderItsFilters(unittest.TestCase):
    def run_inside(self, *command: str) -> subprocess.CompletedProcess:
        environment = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
        return subprocess.run(
            [sys.executable, "-m", "deploy.sandbox", *command],
            capture_output=True,
            text=True,
            timeout=180,
            cwd=ROOT,
            env=environment,
        )

    def test_the_filters_are_real(self):
        code = (
            "import mmap, os, socket\n"
            "def refused(work):\n"
            "    try: work()\n"
            "    except OSError as error: return error.errno\n"
            "print(refused(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)),\n"
            "      refused(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),\n"
            "      refused(lambda: os.chroot('/')), refused(lambda: os.setpriority(os.PRIO_PROCESS, 0, 5)))\n"
        )
        done = self.run_inside(sys.executable, "-c", code)
        self.assertEqual(done.stdout.split(), ["1", "97", "1", "1"], done.stderr)
        self.assertIn("mount", sandbox.group("@mount", {}))
        self.assertNotIn("mount", sandbox.allowed(UNIT))

    @unittest.skipUnless(LARES.exists(), "the program is not built")
    def test_the_models_load(self):
        done = self.run_inside(str(LARES), "models", "--dir", str(ROOT / "models"), "ls")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("runs best here", done.stdout)

    @unittest.skipUnless(
        DEVELOPERS.exists() and (ROOT / "samples/video/visits.mp4").exists(), "program or samples are not there"
    )
    def test_a_visit_goes_the_whole_way(self):
        """Camera, broker (mosquitto as a child), agent, store: all of `lares demo`."""
        with tempfile.TemporaryDirectory() as out:
            done = self.run_inside(str(DEVELOPERS), "demo", "--for", "25s", "--out", out)
            last = done.stdout.strip().splitlines()[-1:] or [""]
            found = re.search(r"demo: (\d+) incidents alerted, (\d+) segments uploaded", last[0])
            self.assertIsNotNone(found, done.stdout + done.stderr)
            self.assertGreaterEqual(int(found.group(1)), 1, done.stdout + done.stderr)
            self.assertGreaterEqual(int(found.group(2)), 1, done.stdout + done.stderr)
            self.assertNotIn("Operation not permitted", done.stderr)


if __name__ == "__main__":
    unittest.main()
