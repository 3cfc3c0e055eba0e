import unittest

from . import judge
from .judge import Clip

LOG = """\
2026-01-01T00:00:00Z  INFO lares::camera::detect::stage: person seen camera=home1 incident=01a227be-5092-76a5-b1ac-16d76b15ae8a score=0.84
2026-01-01T00:00:09Z  INFO lares::camera::detect::stage: incident ended camera=home1 incident=01a227be-5092-76a5-b1ac-16d76b15ae8a reason="left"
"""


class Seen(unittest.TestCase):
    def test_incidents_of_a_log_with_and_without_colours(self):
        wanted = {"01a227be-5092-76a5-b1ac-16d76b15ae8a": "home1"}
        self.assertEqual(judge.seen(LOG), wanted)
        self.assertEqual(judge.seen(LOG.replace("camera=", "\x1b[3mcamera\x1b[0m\x1b[2m=\x1b[0m")), wanted)

    def test_what_the_page_does_not_list_is_lost(self):
        self.assertEqual(judge.lost(judge.seen(LOG), set(judge.seen(LOG))), [])
        self.assertEqual(len(judge.lost(judge.seen(LOG), {"another"})), 1)


class Clips(unittest.TestCase):
    def test_a_whole_clip_has_an_end_a_header_and_segments(self):
        self.assertEqual(judge.incomplete({"a": Clip("complete", True, (700, 20_000))}), [])

    def test_what_is_missing_is_told(self):
        for clip in (Clip("first", True, (1, 2)), Clip("complete", False, (1, 2)), Clip("complete", True, (1, 0)), Clip("complete", True, ())):
            self.assertEqual(len(judge.incomplete({"a": clip})), 1, clip)


class Expected(unittest.TestCase):
    def test_visits_of_each_round_but_those_at_both_ends(self):
        self.assertEqual(judge.expected([10, 70, 100], 120, 240, []), 4)

    def test_a_visit_during_a_restart_is_excused(self):
        self.assertEqual(judge.expected([70, 100], 120, 240, [(60, 80)]), 2)

    def test_a_camera_that_reports_less_is_named(self):
        self.assertEqual(judge.too_few(3, {"home1": 3, "home2": 2}), ["home2 gave 2 incidents, its video 3"])


class Numbers(unittest.TestCase):
    def test_growth_compares_the_end_with_the_second_quarter(self):
        self.assertEqual(judge.growth([500, 500, 101, 102, 103, 104, 110, 111]), 9)
        self.assertEqual(judge.growth([1, 2]), 0)

    def test_times_that_lie_close_together_are_one_span(self):
        self.assertEqual(judge.spans([1, 2, 8, 30]), "1-8 s, 30-30 s")
        self.assertEqual(judge.spans([]), "")

    def test_counters_by_their_labels(self):
        text = 'lares_dropped_total{camera="door",part="sub"} 3\nlares_dropped_total{camera="door",part="main"} 0\nother{camera="x"} 9\n'
        self.assertEqual(judge.metric(text, "lares_dropped_total"), {"door,sub": 3, "door,main": 0})


if __name__ == "__main__":
    unittest.main()
