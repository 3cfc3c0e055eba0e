"""Which incident belongs to which visit, and what each mistake is called."""

import unittest

from eval.truth import Visit
from eval.visits import Incident, empty_hours, match, p95

VISITS = [Visit(10, 20, None), Visit(24, 40, 4), Visit(70, 80, 30)]


def incident(alert: float, end: float) -> Incident:
    return Incident(start=alert - 0.5, end=end, alert=alert, score=0.6)


class Matching(unittest.TestCase):
    def kinds(self, *incidents: Incident) -> list[str]:
        return [failure.kind for failure in match(list(incidents), VISITS).failures]

    def test_one_incident_in_each_visit_is_all_that_is_wanted(self):
        matched = match([incident(11, 19), incident(24, 39), incident(72, 79)], VISITS)
        self.assertEqual((matched.found, matched.splits, matched.false, matched.failures), (3, 0, 0, []))
        self.assertEqual(matched.delays_of("all"), [1, 0, 2])
        self.assertEqual(matched.delays_of("asleep"), [1, 2])
        self.assertEqual(matched.delays_of("awake"), [0])

    def test_a_visit_told_twice_is_split_and_counts_its_first_delay(self):
        matched = match([incident(15, 19), incident(11, 13)], VISITS[:1])
        self.assertEqual((matched.found, matched.splits, matched.delays), (1, 1, [1]))

    def test_an_incident_that_goes_on_merges_the_next_visit(self):
        self.assertEqual(self.kinds(incident(11, 39), incident(71, 79)), ["merged"])

    def test_without_any_alert_a_visit_is_missed(self):
        self.assertEqual(self.kinds(incident(11, 19), incident(71, 79)), ["missed"])

    def test_the_end_of_a_visit_is_no_longer_in_it(self):
        late = match([incident(20, 22)], VISITS[:1])
        self.assertEqual((late.found, late.missed, late.false), (0, 1, 1))
        self.assertEqual({failure.kind for failure in late.failures}, {"late", "false"})

    def test_an_alert_with_nobody_there_is_false(self):
        self.assertEqual(self.kinds(incident(11, 19), incident(25, 39), incident(50, 51), incident(71, 79)), ["false"])

    def test_hours_without_anybody(self):
        self.assertAlmostEqual(empty_hours(3636, VISITS), 1.0)

    def test_p95_is_a_delay_that_was_measured(self):
        self.assertEqual(p95([0.5, 0.6, 2.0]), 2.0)
        self.assertEqual(p95([*[1.0] * 19, 9.0]), 1.0)
        self.assertIsNone(p95([]))
