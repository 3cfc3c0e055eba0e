"""The JSON Schema of the configuration, held against the sample by a validator that is not ours."""

import json
import os
import subprocess
import tomllib
import unittest
from pathlib import Path

import jsonschema

ROOT = Path(__file__).resolve().parents[2]
LARES = Path(os.environ.get("LARES", ROOT / "target/release/lares"))


@unittest.skipUnless(LARES.exists(), "program is not there")
class TheSchema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        printed = subprocess.run([LARES, "config", "schema"], capture_output=True, check=True, timeout=30)
        schema = json.loads(printed.stdout)
        jsonschema.Draft202012Validator.check_schema(schema)
        cls.validator = jsonschema.Draft202012Validator(schema)

    def problems(self, text):
        return [error.json_path for error in self.validator.iter_errors(tomllib.loads(text))]

    def test_the_sample_is_valid(self):
        self.assertEqual(self.problems((ROOT / "deploy/lares.sample.toml").read_text()), [])

    def test_what_the_program_refuses_is_invalid(self):
        camera = 'version = 2\n[[cameras]]\nurl = "rtsp://10.0.0.2/"\n'
        self.assertEqual(self.problems(camera), [])
        for wrong, where in {
            'colour = "blue"': "$.cameras[0]",
            "rotate = 45.5": "$.cameras[0].rotate",
            "stall_timeout = 10": "$.cameras[0].stall_timeout",
            'transport = "pigeon"': "$.cameras[0].transport",
            "detect = { detect_fps = 100 }": "$.cameras[0].detect.detect_fps",
            'detect = { motion_mask = [[[0, 0], [1, 2], [1, 0]]] }': "$.cameras[0].detect.motion_mask[0][1][1]",
        }.items():
            self.assertEqual(self.problems(camera + wrong + "\n"), [where], wrong)
