"""Average precision and tracking on cases that can be worked out by hand."""

import unittest

from eval.boxes import nearest_height, precision, precision_by_height
from eval.tracks import tracking
from eval.truth import Box


def box(x: float, score: float = 1, identity: int = 1, h: float = 20) -> Box:
    return Box(identity, x, 10, 10, h, score)


class Precision(unittest.TestCase):
    def test_what_fits_exactly_is_perfect(self):
        found = precision({1: [box(0)], 3: [box(50)]}, {1: [box(0, 0.9)], 3: [box(50, 0.8)]}, [1, 3])
        self.assertEqual((found.ap50, found.ap, found.truths), (1, 1, 2))

    def test_a_false_box_above_the_true_one_halves_the_precision(self):
        found = precision({1: [box(0)]}, {1: [box(0, 0.5), box(50, 0.9)]}, [1])
        self.assertAlmostEqual(found.ap50, 0.5)

    def test_a_false_box_in_a_frame_without_anybody_counts(self):
        found = precision({1: [box(0)]}, {1: [box(0, 0.5)], 3: [box(50, 0.9)]}, [1, 3])
        self.assertAlmostEqual(found.ap50, 0.5)

    def test_frames_off_the_grid_do_not_count(self):
        found = precision({1: [box(0)], 2: [box(0)]}, {1: [box(0, 0.9)]}, [1])
        self.assertEqual((found.ap50, found.truths), (1, 1))

    def test_a_truth_that_is_not_counted_is_neither_right_nor_wrong(self):
        found = precision({1: [box(0), box(50, score=0)]}, {1: [box(0, 0.5), box(50, 0.9)]}, [1])
        self.assertEqual((found.ap50, found.truths), (1, 1))

    def test_a_loose_box_is_right_at_half_only(self):
        # 10 wide, 3 apart: IoU 7/13 = 0.538, so right at 0.5 alone of the ten thresholds.
        found = precision({1: [box(0)]}, {1: [box(3, 0.9)]}, [1])
        self.assertAlmostEqual(found.ap50, 1)
        self.assertAlmostEqual(found.ap, 0.1)

    def test_without_truth_there_is_no_precision(self):
        self.assertIsNone(precision({}, {1: [box(0, 0.9)]}, [1]))

    def test_heights_are_scored_apart(self):
        truth = {1: [box(0, h=20), box(50, h=60)]}
        found = precision_by_height(truth, {1: [box(50, 0.9, h=60)]}, [1])
        self.assertEqual({height: part.ap50 for height, part in found.items()}, {20: 0, 60: 1})

    def test_a_height_counts_to_the_nearest_by_ratio(self):
        self.assertEqual([nearest_height(percent) for percent in (3, 8, 9, 24, 25, 100)], [5, 7, 10, 20, 30, 90])


class Tracking(unittest.TestCase):
    def test_one_identity_is_perfect_and_two_are_a_switch(self):
        frames = list(range(1, 11))
        truth = {frame: [box(frame)] for frame in frames}
        steady = tracking(truth, {frame: [box(frame, 0.9, 7)] for frame in frames}, frames)
        self.assertEqual((steady.idf1, steady.switches, steady.identities, steady.people), (1, 0, 1, 1))
        torn = tracking(truth, {frame: [box(frame, 0.9, 7 + frame // 6)] for frame in frames}, frames)
        self.assertEqual((torn.idf1, torn.switches, torn.identities), (0.5, 1, 2))

    def test_boxes_without_a_track_and_on_truths_that_are_not_counted_are_left_out(self):
        truth = {1: [box(0), box(50, score=0, identity=2)]}
        found = tracking(truth, {1: [box(0, 0.9, 1), box(80, 0.9, -1), box(50, 0.9, 2)]}, [1])
        self.assertEqual((found.idf1, found.people), (1, 1))
