"""The container's recipe holds together: what can be said of it without a Docker engine."""

import json
import re
import shutil
import subprocess
import unittest

import yaml

from . import LARES, ROOT
from .unit import Unit

DOCKER = ROOT / "deploy/docker"
PINS = (ROOT / "deploy/setup/pins.sh").read_text()


def instructions() -> list[tuple[str, str]]:
    """Instructions and their arguments, with lines joined and comments left out."""
    lines = [line for line in (DOCKER / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    text = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def all_of(name: str) -> list[str]:
    return [arguments for instruction, arguments in instructions() if instruction == name]


def pin(name: str) -> str:
    return re.search(rf"^{name}=(.*)$", PINS, re.MULTILINE).group(1)


def ignored() -> tuple[set[str], set[str]]:
    """Of .dockerignore: what is let in, and what of that is not."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*", "everything is left out at first"
    return {line[1:] for line in lines if line[0] == "!"}, {line for line in lines[1:] if line[0] != "!"}


class TheDockerfile(unittest.TestCase):
    def test_instructions_are_known(self):
        known = "ARG FROM WORKDIR COPY RUN ENV USER VOLUME EXPOSE HEALTHCHECK STOPSIGNAL ENTRYPOINT CMD".split()
        for name, _ in instructions():
            self.assertIn(name, known)

    def test_what_is_copied_is_there_and_let_in(self):
        let_in, left_out = ignored()
        copied = set()
        for arguments in all_of("COPY"):
            if arguments.startswith("--from="):
                continue
            for source in arguments.split()[:-1]:
                self.assertTrue((ROOT / source).exists(), source)
                self.assertIn(source.split("/")[0], let_in, source)
                self.assertNotIn(source, left_out)
                copied.add(source.split("/")[0])
        self.assertEqual(let_in - copied, set(), ".dockerignore lets in what is not copied")

    def test_stages_that_are_copied_from_exist(self):
        stages = {match for match in re.findall(r"^FROM .* AS (\w+)$", (DOCKER / "Dockerfile").read_text(), re.M)}
        used = set(re.findall(r"(?:--from=|[, ]from=)(\w+)", (DOCKER / "Dockerfile").read_text()))
        self.assertEqual(used, stages)

    def test_versions_are_those_of_the_setup(self):
        arguments = dict(text.split("=", 1) for text in all_of("ARG"))
        self.assertEqual(arguments["RUST_VERSION"], pin("min_rust"))
        self.assertGreaterEqual(int(arguments["NODE_VERSION"]), int(pin("min_node")))
        # One Debian throughout: the program is linked with the GStreamer that it will find.
        for image in all_of("FROM"):
            self.assertIn("bookworm", image)
        self.assertIn("install_onnxruntime", (DOCKER / "Dockerfile").read_text())

    def test_scripts_that_are_run_exist(self):
        text = (DOCKER / "Dockerfile").read_text()
        for script in set(re.findall(r"\bdeploy/[\w/]+\.sh\b", text)):
            self.assertTrue((ROOT / script).exists(), script)

    @unittest.skipUnless(shutil.which("apt-cache"), "apt is not installed")
    def test_debian_has_the_packages(self):
        packages = set()
        for command in all_of("RUN"):
            for names in re.findall(r"apt-get install -y --no-install-recommends ([^&]*)", command):
                packages |= {name for name in names.split() if not name.startswith("/")}
        self.assertIn("mosquitto", packages)
        for package in sorted(packages):
            done = subprocess.run(["apt-cache", "show", package], capture_output=True, text=True)
            if "N: Unable" in done.stderr and not done.stdout and package == "mosquitto":
                self.skipTest("apt has no package lists here")
            self.assertIn(f"Package: {package}\n", done.stdout, package)

    def test_it_does_not_run_as_root(self):
        users = all_of("USER")
        self.assertEqual(users, ["lares"])
        order = [name for name, _ in instructions()]
        self.assertLess(order.index("USER"), order.index("ENTRYPOINT"))

    def test_places_are_those_of_the_package(self):
        self.assertEqual(json.loads(all_of("ENTRYPOINT")[0]), ["/usr/bin/lares"])
        run = Unit(ROOT / "deploy/lares.service").last("ExecStart")
        self.assertEqual(["/usr/bin/lares", *json.loads(all_of("CMD")[0])], run.split())
        self.assertEqual(all_of("VOLUME"), ["/var/lib/lares"])
        listen = re.search(r'^listen = "(127\S*)"', (ROOT / "deploy/lares.sample.toml").read_text(), re.M)
        health = all_of("HEALTHCHECK")[0]
        self.assertIn("http://127.0.0.1:8088/healthz", health)
        self.assertIsNotNone(listen)


class Compose(unittest.TestCase):
    def setUp(self):
        self.services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]

    def test_the_dockerfile_is_found(self):
        build = self.services["lares"]["build"]
        context = (DOCKER / build["context"]).resolve()
        self.assertEqual(context, ROOT)
        self.assertTrue((context / build["dockerfile"]).exists())

    def test_services_may_do_little(self):
        for name, service in self.services.items():
            self.assertTrue(service["read_only"], name)
            self.assertEqual(service["cap_drop"], ["ALL"], name)
            self.assertEqual(service["security_opt"], ["no-new-privileges:true"], name)
            self.assertNotIn("privileged", service)

    def test_there_is_time_to_stop(self):
        grace = re.search(r"\d+", self.services["lares"]["stop_grace_period"]).group()
        self.assertGreater(int(grace), 10)

    @unittest.skipUnless(shutil.which("docker"), "docker is not installed")
    def test_docker_reads_it(self):
        command = ["docker", "compose", "--file", str(DOCKER / "compose.yaml"), "--profile", "example", "config", "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True)
        if "is not a docker command" in done.stderr or "unknown flag" in done.stderr:
            self.skipTest("docker has no compose here")
        self.assertEqual(done.returncode, 0, done.stderr)

    @unittest.skipUnless(LARES.exists(), "the program is not built")
    def test_the_small_configuration_is_one(self):
        text = (DOCKER / "lares.toml").read_text()
        self.assertIn('data_dir = "/var/lib/lares"', text)
        self.assertIn('dir = "/usr/share/lares/models"', text)
        self.assertIn('onnxruntime = "/usr/lib/lares/libonnxruntime.so"', text)
        # The models are not installed here: what is wrong must be that, and not the configuration.
        command = [str(LARES), "models", "--config", str(DOCKER / "lares.toml"), "--dir", str(ROOT / "models"), "verify"]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
