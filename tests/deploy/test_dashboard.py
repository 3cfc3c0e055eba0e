"""The dashboard asks for metrics that exist, by labels that they have; and the table of the contract is whole."""

import json
import re
import unittest

from . import ROOT

CONTRACT = (ROOT / "docs/contracts.md").read_text()
SOURCE = (ROOT / "crates/core/src/base/report/telemetry.rs").read_text()
README = (ROOT / "deploy/grafana/README.md").read_text()
DASHBOARD = json.loads((ROOT / "deploy/grafana/lares.json").read_text())
NAME = r"\blares_[a-z_]+"


def contract() -> dict[str, set[str]]:
    """Labels by metric, as docs/contracts.md tells them."""
    table: dict[str, set[str]] = {}
    for names, labels in re.findall(r"^\| (`lares_[^|]*) \| ([^|]*)\|", CONTRACT, re.MULTILINE):
        words = {word for word in re.findall(r"[a-z]+", re.sub(r"\(.*?\)", "", labels))}
        for name in re.findall(NAME, names):
            table[name] = words
    return table


def registered() -> set[str]:
    """Metrics as the page shows them: the encoder puts `_total` behind counters."""
    kinds = dict(re.findall(r"^    pub (\w+): (?:Family<\w+, )?(\w+)", SOURCE, re.MULTILINE))
    found = set()
    for name, field in re.findall(r'r\.register\(\s*"(\w+)",\s*"[^"]*",\s*metrics\.(\w+)', SOURCE):
        found.add(f"lares_{name}_total" if kinds[field] == "Counter" else f"lares_{name}")
    # Those that are read when asked for.
    for name, kind in re.findall(r'encode_descriptor\(\s*"(\w+)",\s*"[^"]*",\s*None,\s*MetricType::(\w+)', SOURCE):
        found.add(f"lares_{name}_total" if kind == "Counter" else f"lares_{name}")
    return found


def plain(name: str) -> str:
    """A histogram's series have endings of their own."""
    return re.sub(r"_(bucket|sum|count)$", "", name)


def panels() -> list[dict]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> list[tuple[str, str, str]]:
    return [
        (panel["title"], target["expr"], target["legendFormat"]) for panel in panels() for target in panel["targets"]
    ]


class TheDashboard(unittest.TestCase):
    def test_the_contract_lists_what_the_program_shows(self):
        self.assertGreater(len(registered()), 25)
        self.assertEqual(set(contract()), registered())

    def test_every_metric_exists(self):
        asked = {plain(name) for _, query, _ in queries() for name in re.findall(NAME, query)}
        self.assertGreater(len(asked), 20)
        self.assertEqual(asked - registered(), set())

    def test_every_metric_is_shown(self):
        asked = {plain(name) for _, query, _ in queries() for name in re.findall(NAME, query)}
        self.assertEqual(registered() - asked, set())

    def test_labels_are_there(self):
        labels = contract()
        for title, query, legend in queries():
            names = re.findall(NAME, query)
            known = {"instance", "le"} | {label for name in names for label in labels[plain(name)]}
            inside = {key for text in re.findall(r"\{(.*?)\}", query) for key in re.findall(r"(\w+)=~?\"", text)}
            grouped = {
                key for text in re.findall(r"\bby \((.*?)\)", query) for key in re.findall(r"\w+", text)
            }
            shown = set(re.findall(r"\{\{(\w+)\}\}", legend))
            self.assertLessEqual(inside | grouped | shown, known, title)
            # Each query follows the choice of boxes.
            self.assertEqual(len(re.findall(r"instance=~\"\$instance\"", query)), len(names), title)

    def test_counters_are_read_as_such(self):
        for title, query, _ in queries():
            for name in re.findall(NAME, query):
                if name.endswith(("_total", "_bucket")):
                    self.assertRegex(query, rf"(rate|increase)\({name}", title)

    def test_it_can_be_imported(self):
        self.assertIsNone(DASHBOARD["id"])
        self.assertEqual(DASHBOARD["uid"], "lares")
        ids = [panel["id"] for panel in DASHBOARD["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        taken: set[tuple[int, int]] = set()
        for panel in DASHBOARD["panels"]:
            at = panel["gridPos"]
            self.assertLessEqual(at["x"] + at["w"], 24, panel["title"])
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            self.assertEqual(taken & cells, set(), f"{panel['title']} lies on another panel")
            taken |= cells
        for panel in panels():
            self.assertEqual(panel["datasource"]["uid"], "${datasource}", panel["title"])

    def test_the_alarms_of_the_readme_exist(self):
        asked = {plain(name) for line in README.splitlines() if "expr:" in line for name in re.findall(NAME, line)}
        self.assertGreaterEqual(len(asked), 3)
        self.assertEqual(asked - registered(), set())


if __name__ == "__main__":
    unittest.main()
