"""The Debian package holds what it should, where and as it should, and is the same each time it is built."""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import tomllib
import unittest
from pathlib import Path

from . import LARES, ROOT

DEBIAN = ROOT / "deploy/debian"
SCRIPTS = ("postinst", "prerm", "postrm")
LIBRARY = "usr/lib/lares/libonnxruntime.so"


def can_be_built() -> bool:
    tools = all(shutil.which(tool) for tool in ("dpkg-deb", "dpkg-shlibdeps", "cargo"))
    return tools and LARES.exists() and (ROOT / "vendor/onnxruntime/lib").is_dir()


def build(folder: str, **environment: str) -> Path:
    """Without compression: that takes most of the time."""
    done = subprocess.run(
        [str(DEBIAN / "build.sh"), str(LARES), folder],
        capture_output=True,
        text=True,
        env=os.environ | {"COMPRESS": "none"} | environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (package,) = Path(folder).glob("*.deb")
    return package


@unittest.skipUnless(can_be_built(), "the program is not built, or dpkg-dev is not installed")
class ThePackage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.package = build(cls.folder.name)
        cls.tree = Path(cls.folder.name) / "tree"
        subprocess.run(["dpkg-deb", "--raw-extract", str(cls.package), str(cls.tree)], check=True)
        listing = subprocess.run(["dpkg-deb", "-c", str(cls.package)], check=True, capture_output=True, text=True).stdout
        cls.entries = {}
        for line in listing.splitlines():
            mode, owner, _, _, _, name = line.split(None, 5)
            cls.entries[name.removeprefix("./").rstrip("/")] = (mode, owner)
        control = (cls.tree / "DEBIAN/control").read_text()
        cls.fields = dict(re.findall(r"^(\S+): (.*)$", control, re.MULTILINE))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_everything_is_in_its_place(self):
        for name, mode in {
            "usr/bin/lares": "-rwxr-xr-x",
            LIBRARY: "-rw-r--r--",
            "usr/share/lares/models/person.onnx": "-rw-r--r--",
            "usr/share/lares/models/person.toml": "-rw-r--r--",
            "usr/share/lares/models/motion.onnx": "-rw-r--r--",
            "lib/systemd/system/lares.service": "-rw-r--r--",
            "usr/share/doc/lares/copyright": "-rw-r--r--",
            "usr/share/doc/lares/install.md": "-rw-r--r--",
            "usr/share/doc/lares/changelog.gz": "-rw-r--r--",
            # Passwords may stand in there.
            "etc/lares": "drwxr-x---",
            "etc/lares/lares.toml": "-rw-r-----",
        }.items():
            self.assertEqual(self.entries.get(name), (mode, "root/root"), name)
        self.assertEqual({owner for _, owner in self.entries.values()}, {"root/root"})
        self.assertEqual([name for name in self.entries if name.endswith(".pyc")], [])
        # Data is made on the box, never shipped.
        self.assertEqual([name for name in self.entries if name.startswith("var")], [])

    def test_the_library_is_the_pinned_one(self):
        digest = hashlib.sha256((self.tree / LIBRARY).read_bytes()).hexdigest()
        original = (ROOT / "vendor/onnxruntime/lib/libonnxruntime.so").resolve().read_bytes()
        self.assertEqual(digest, hashlib.sha256(original).hexdigest())

    def test_the_configuration_names_what_the_package_holds(self):
        text = (self.tree / "etc/lares/lares.toml").read_text()
        config = tomllib.loads(text)
        self.assertEqual(config["data_dir"], "/var/lib/lares")
        self.assertIn(config["models"]["dir"].lstrip("/") + "/person.onnx", self.entries)
        self.assertEqual(config["models"]["onnxruntime"], f"/{LIBRARY}")
        # Nothing else is switched on.
        sample = tomllib.loads((ROOT / "deploy/lares.sample.toml").read_text())
        del config["data_dir"], config["models"]["dir"], config["models"]["onnxruntime"]
        self.assertEqual(config, sample)
        self.assertEqual((self.tree / "DEBIAN/conffiles").read_text(), "/etc/lares/lares.toml\n")

    def test_the_unit_runs_what_the_package_holds(self):
        unit = (self.tree / "lib/systemd/system/lares.service").read_text()
        run = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE).group(1).split()
        self.assertIn(run[0].lstrip("/"), self.entries)
        self.assertIn(run[-1].lstrip("/"), self.entries)
        document = re.search(r"^Documentation=file://(.*)$", unit, re.MULTILINE).group(1)
        self.assertIn(document.lstrip("/"), self.entries)

    def test_its_control_file_is_whole(self):
        fields = self.fields
        self.assertEqual(fields["Package"], "lares")
        version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
        self.assertTrue(fields["Version"].startswith(version), fields["Version"])
        self.assertNotIn("@", "".join(value for key, value in fields.items() if key != "Maintainer"))
        depends = fields["Depends"]
        for package in ("libc6 (>=", "libgstreamer1.0-0 (>=", "libstdc++6"):
            self.assertIn(package, depends, "found by dpkg-shlibdeps")
        self.assertNotIn("libgstrtspserver", depends, "virtual cameras are for developers")
        # What is loaded at run time: the program says which Debian package holds each element.
        source = (ROOT / "src/ingest/setup.rs").read_text()
        for package in sorted(set(re.findall(r'"(gstreamer1\.0-[a-z-]+)"', source))):
            self.assertIn(package, depends)
        # It would start a broker of its own on the hub's port.
        self.assertNotIn("mosquitto", depends + fields.get("Recommends", ""))

    def test_the_program_has_nothing_of_developers(self):
        program = self.tree / "usr/bin/lares"
        linked = subprocess.run(["ldd", str(program)], check=True, capture_output=True, text=True).stdout
        self.assertIn("libgstreamer-1.0.so", linked)
        self.assertNotIn("libgstrtspserver", linked)
        said = subprocess.run([str(program), "--help"], check=True, capture_output=True, text=True).stdout
        commands = set(re.findall(r"^  ([a-z]+) ", said, re.MULTILINE))
        self.assertLessEqual({"run", "check", "replay", "hub", "outbox", "ledger", "models"}, commands)
        self.assertFalse({"demo", "bench", "camera"} & commands)

    def test_sums_are_right(self):
        lines = (self.tree / "DEBIAN/md5sums").read_text().splitlines()
        files = {name for name, (mode, _) in self.entries.items() if mode[0] == "-"}
        self.assertEqual({line.split(None, 1)[1] for line in lines}, {n for n in files if not n.startswith("etc/")})

    def test_what_it_is_made_of_is_told(self):
        crates = gzip.decompress((self.tree / "usr/share/doc/lares/crates.txt.gz").read_bytes()).decode()
        names = {line.split("\t")[0] for line in crates.splitlines()}
        self.assertLessEqual({"gstreamer", "ort", "rusqlite", "rumqttc"}, names)
        self.assertFalse({"proptest", "criterion", "gstreamer-rtsp-server"} & names, "what only tests need is not in it")
        for line in crates.splitlines():
            self.assertRegex(line, r"^\S+\t\S+\t\S+")

    def test_the_same_again(self):
        with tempfile.TemporaryDirectory() as folder:
            again = build(folder, TZ="Asia/Tokyo", LC_ALL="C")
            self.assertEqual(again.name, self.package.name)
            self.assertEqual(
                hashlib.sha256(again.read_bytes()).digest(), hashlib.sha256(self.package.read_bytes()).digest()
            )

    def test_the_program_works_from_there(self):
        """With the packaged configuration, its places moved to where the package was unpacked."""
        text = (self.tree / "etc/lares/lares.toml").read_text()
        for place in ("/var/lib/lares", "/usr/share/lares", "/usr/lib/lares"):
            text = text.replace(f'"{place}', f'"{self.tree}{place}')
        config = Path(self.folder.name) / "lares.toml"
        config.write_text(text)
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder.name}
        for task, told in (("verify", "ok       person\n"), ("ls", "runs best here")):
            done = subprocess.run(
                [str(self.tree / "usr/bin/lares"), "models", "--config", str(config), task],
                capture_output=True,
                text=True,
                cwd="/",
                env=environment,
            )
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn(told, done.stdout)


class MaintainerScripts(unittest.TestCase):
    def test_they_are_sound_shell(self):
        for script in SCRIPTS:
            text = (DEBIAN / script).read_text()
            self.assertTrue(text.startswith("#!/bin/sh\n"), script)
            self.assertIn("\nset -e\n", text, script)
            self.assertEqual(subprocess.run(["sh", "-n", str(DEBIAN / script)]).returncode, 0, script)

    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not installed")
    def test_shellcheck_finds_nothing(self):
        files = [str(DEBIAN / script) for script in (*SCRIPTS, "build.sh")]
        done = subprocess.run(["shellcheck", "--external-sources", *files], capture_output=True, text=True, cwd=ROOT)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_only_purge_deletes(self):
        for script in SCRIPTS:
            text = (DEBIAN / script).read_text()
            before, purge, after = text.partition('if [ "$1" = purge ]; then')
            self.assertNotIn("rm -", before, script)
            self.assertNotIn("deluser", before, script)
            if script == "postrm":
                self.assertIn("/var/lib/lares", after)
                # Never outside the package's own places.
                for target in re.findall(r"rm -rf (.*)", after):
                    self.assertLessEqual(set(target.split()), {"/var/cache/lares", "/var/lib/lares", "/etc/lares"})
            else:
                self.assertEqual(purge, "", script)

    def test_nothing_is_started_at_first(self):
        text = (DEBIAN / "postinst").read_text()
        self.assertNotRegex(text, r"\b(enable|start)\b lares")
        self.assertIn("try-restart", text)


if __name__ == "__main__":
    unittest.main()
