"""Medians, ratios and promises."""

import tempfile
import unittest
from pathlib import Path

from peers.agents import Measured
from peers.cases import CASES, Bounds, Case
from peers.figures import Figures, Round, Spread
from peers.procfs import Usage
from peers.report import BEGIN, END, Setting, read_json, write_json, write_markdown
from peers.sampler import summarise


def measured(cpu: float, rss_mb: float = 50, keyframes: float = 0.01) -> Measured:
    return Measured(cpu, rss_mb, 40, 1.0, {"receive": 0.004, "keyframes": keyframes, "full_decode": 0.03, "receive_own": 0.002})


def figures(*pairs: tuple[float, float], bounds: Bounds = Bounds(), **case) -> Figures:
    rounds = [Round(measured(lares), measured(motion)) for lares, motion in pairs]
    return Figures(Case("test", "test.mp4", 768, 576, bounds=bounds, **case), rounds)


class Spreads(unittest.TestCase):
    def test_shows_the_median_and_how_far_the_others_lie(self):
        self.assertEqual(Spread.of([0.3, 0.1, 0.2]), Spread(0.2, 0.1, 0.3))
        self.assertEqual(Spread.of([0.3, 0.1, 0.2]).text(2), "0.20 [0.10-0.30]")
        self.assertEqual(Spread.of([66.6, 70]).text(0), "68")

    def test_ratios_are_of_one_round(self):
        # The second round met a busy machine, and both took twice as much.
        ratio = figures((0.01, 0.02), (0.02, 0.04), (0.012, 0.02)).of_motion
        self.assertEqual(ratio, Spread(0.5, 0.5, 0.6))


class Promises(unittest.TestCase):
    def test_the_median_decides(self):
        rounds = [(0.008, 0.02), (0.009, 0.02), (0.02, 0.02)]
        kept = {p.promise: p.kept for p in figures(*rounds, bounds=Bounds(0.010, 0.40, 1.5)).promises()}
        self.assertEqual(
            kept,
            {
                "CPU s per camera s <= 0.01": True,
                "CPU, of motion's <= 0.4": False,
                "CPU, of plain keyframes' <= 1.5": True,
                "resident MB <= 80": True,
            },
        )

    def test_each_idle_camera_may_take_some_memory_and_a_busy_one_promises_none(self):
        self.assertEqual([p.promise for p in figures((1, 1), cameras=4).promises()], ["resident MB <= 110"])
        self.assertEqual(Case("large", "large.mp4", 1920, 1080).most_memory_mb, None)
        self.assertEqual(figures((1, 1), idle=False).promises(), [])


class Sampling(unittest.TestCase):
    def test_cpu_is_a_difference_and_memory_the_most(self):
        samples = [(100.0, Usage(7.0, 50, 30)), (105.0, Usage(7.4, 60, 35)), (110.0, Usage(8.0, 55, 30))]
        watched = summarise(samples)
        self.assertAlmostEqual(watched.cpu_per_s, 0.1)
        self.assertEqual((watched.seconds, watched.rss_mb, watched.pss_mb), (10.0, 60, 35))


class Reports(unittest.TestCase):
    where = Setting("2026-11-26", "a machine", "6.1", "lares 0.1.0", "motion 4.5.1", "GStreamer 1.22.0", 30, 1)

    def test_an_earlier_run_can_be_shown_again(self):
        measured_before = [Figures(CASES[0], figures((0.01, 0.02), (0.02, 0.04)).rounds)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "report.json"
            write_json(path, self.where, measured_before)
            self.assertEqual(read_json(path), (self.where, measured_before))

    def test_only_what_lies_between_the_marks_is_written(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "benchmarks.md"
            path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
            write_markdown(path, self.where, [figures((0.01, 0.02))], Path("plot.svg"))
            text = path.read_text()
        self.assertTrue(text.startswith(f"before\n{BEGIN}\n") and text.endswith(f"\n{END}\nafter\n"))
        self.assertIn("0.0100 [0.0100-0.0100]", text)
        self.assertNotIn("old", text)
