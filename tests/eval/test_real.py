"""The set `real`: what is counted, and what each failure is put down to."""

import tempfile
import unittest
from pathlib import Path

from eval.clips import Clip
from eval.measure import Measured
from eval.real import cause_of, real_clips, summary
from eval.truth import Visit, read_visits
from eval.visits import Incident, match

REFUSED = "a.mp4  3.0 s to 9.0 s  no incident: track 1 in 7 looks at 5 %, 5 %, 9 % high: no movement of its own (score 0.70)"


def measured(alerts: list[float], visits: list[tuple[float, float]], ignored=()) -> Measured:
    incidents = [Incident(alert, alert + 1, alert, 0.7) for alert in alerts]
    matched = match(incidents, [Visit(*span, None) for span in visits], [Visit(*span, None) for span in ignored])
    figures = dict.fromkeys(Measured.__dataclass_fields__, 0)
    figures |= {"clip": Clip("a", "real", Path("a.mp4")), "matched": matched, "incidents": incidents}
    return Measured(**figures)


class Real(unittest.TestCase):
    def test_a_missed_visit_counts_as_an_infinite_delay(self):
        one = measured([1.0], [(0, 5), (10, 20)])
        self.assertEqual(summary([one], "real"), "real: 1 of 2 found, 0 false, 0 split, 0 merged, delay 1.00 / inf s")

    def test_p95_is_reached_by_95_percent_of_the_visits(self):
        visits = [(10 * n, 10 * n + 9) for n in range(21)]
        alerts = [10 * n + (1 if n < 19 else 5) for n in range(20)]
        told = summary([measured(alerts, visits)], "real")
        self.assertTrue(told.endswith("20 of 21 found, 0 false, 0 split, 0 merged, delay 1.00 / 5.00 s"), told)

    def test_an_alert_in_an_ignored_span_is_not_false(self):
        self.assertEqual(measured([7.0], [(0, 5)], [(6, 8)]).matched.false, 0)
        self.assertEqual(measured([9.0], [(0, 5)], [(6, 8)]).matched.false, 1)

    def test_whoever_was_told_in_an_ignored_span_and_stays_is_found_at_once(self):
        one = measured([4.0], [(4.5, 9)], [(3, 4.5)])
        self.assertEqual((one.matched.delays, one.matched.merged, one.matched.false), ([0.0], 0, 0))

    def test_causes(self):
        self.assertEqual(cause_of(2, 8, None, [REFUSED]), "no movement of its own")
        self.assertEqual(cause_of(12, 18, None, [REFUSED]), "not looked at")
        self.assertEqual(cause_of(2, 8, Incident(7, 9, 8, 0.7), []), "seen late")
        self.assertEqual(cause_of(2, 8, Incident(3, 9, 8, 0.7), []), "believed late")

    def test_without_the_set_it_is_skipped_and_said_so(self):
        clips, skipped = real_clips(Path("/nowhere"), Path("/nowhere"))
        self.assertEqual((clips, [one.name for one in skipped]), ([], ["real"]))

    def test_each_clip_comes_in_both_keyings_with_its_own_rows(self):
        with tempfile.TemporaryDirectory() as folder:
            real = Path(folder) / "real"
            real.mkdir()
            (real / "manifest.csv").write_text("name,note\nyard.avi,a\n")
            (real / "events.csv").write_text("name,start_s,end_s\nyard.avi,1,2\nhall.mp4,3,4\n")
            clips, _ = real_clips(Path(folder), Path(folder) / "made")
            self.assertEqual([clip.name for clip in clips], ["yard", "yard-key2"])
            self.assertEqual(clips[1].rekeyed_from, clips[0].video)
            self.assertEqual([v.start for v in read_visits(clips[0].visits, clips[0].rows)], [1])
