"""The examples of the how-to can be read, and so can the templates in them."""

import re
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from discovery.templates import parse_fault

GUIDE = Path(__file__).parents[2] / "docs/home-assistant.md"


def texts(value: Any) -> Iterator[str]:
    """Every text in what YAML holds."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


class HowTo(unittest.TestCase):
    def test_examples_are_yaml_with_sound_templates(self):
        blocks = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
        self.assertGreaterEqual(len(blocks), 6)
        for block in blocks:
            for text in texts(yaml.safe_load(block)):
                self.assertIsNone(parse_fault(text), text)

    def test_automations_have_triggers_and_actions(self):
        blocks = re.findall(r"```yaml\n(alias:.*?)```", GUIDE.read_text(), re.DOTALL)
        self.assertGreaterEqual(len(blocks), 3)
        for block in blocks:
            automation = yaml.safe_load(block)
            self.assertLessEqual({"alias", "triggers", "actions"}, automation.keys())
            for trigger in automation["triggers"]:
                self.assertIn(trigger["trigger"], {"state", "mqtt"})


if __name__ == "__main__":
    unittest.main()
