"""Truth files, what is there to be measured, and what of it is chosen."""

import json
import tempfile
import unittest
from pathlib import Path

from eval.clips import catalogue, chosen
from eval.explain import explain
from eval.truth import read_boxes, read_visits
from eval.visits import Failure


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, name: str, text: str = "") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def test_gaps_follow_from_the_visit_before_where_they_are_not_given(self):
        visits = read_visits(self.write("a.csv", "start_s,end_s\n6.0,20.0\n22.5,45.0\n"))
        self.assertEqual([visit.gap for visit in visits], [None, 2.5])

    def test_given_gaps_and_heights_are_taken(self):
        visits = read_visits(self.write("a.csv", "start_s,end_s,people,gap_s,height\n1,2,1,,0.07\n5,6,1,30,45\n"))
        self.assertEqual([(visit.gap, visit.height) for visit in visits], [(None, 7), (30, 45)])

    def test_boxes_come_by_frame(self):
        boxes = read_boxes(self.write("gt.txt", "2,9,1,2,3,4,1,-1,-1,-1\n2,8,1,2,3,4,0\n"))
        self.assertEqual([(box.id, box.score) for box in boxes[2]], [(9, 1), (8, 0)])

    def test_what_is_not_there_is_said_with_its_file(self):
        clips, skipped = catalogue(self.folder, self.folder / "shared", self.folder / "workshop")
        self.assertEqual(clips, [])
        self.assertTrue(any("scenes.json" in one.why for one in skipped))
        self.assertTrue(any(one.name == "vtest" and "vtest-h264.mp4" in one.why for one in skipped))

    def test_scenes_are_found_beside_their_list_and_chosen_by_pattern(self):
        scenes = [
            {"name": "rain-visits", "video": "r.mp4", "truth": "r.csv", "boxes": None, "group": "corruption"},
            {"name": "poster", "video": "p.mp4", "truth": None, "boxes": None, "group": "quick"},
        ]
        for name in ("w/r.mp4", "w/r.csv", "w/p.mp4"):
            self.write(name)
        self.write("w/scenes.json", json.dumps(scenes))
        clips, _ = catalogue(self.folder, self.folder / "shared", self.folder / "w")
        self.assertEqual([clip.name for clip in chosen(clips, True, None)], ["poster"])
        self.assertEqual([clip.name for clip in chosen(clips, False, ["rain*"])], ["rain-visits"])
        self.assertEqual([clip.name for clip in chosen(clips, False, ["quick"])], ["poster"])


class Explanations(unittest.TestCase):
    def test_the_lines_near_a_failure_are_found(self):
        line = "/clips/a b.mp4      10.0 s to    12.5 s  Motion: motion without a person (score 0.00)"
        failures = [Failure("missed", 17.0, ""), Failure("missed", 18.0, "")]
        why = explain(["some other message", line], failures)
        self.assertEqual(list(why.values()), [["10.0-12.5 s  Motion: motion without a person (score 0.00)"], []])
