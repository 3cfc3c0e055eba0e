"""The scoring grid and the perfect recorder."""

import unittest

from eval.probe import Packet, Video, perfect_bytes, scoring_grid
from eval.truth import Visit


def video(seconds: int, fps: float, key_every: int) -> Video:
    """Each picture has one byte, each keyframe a thousand."""
    frames = ((int(n * 1e9 / fps), n % key_every == 0) for n in range(int(seconds * fps)))
    return Video(100, 100, [Packet(time, 1000 if key else 1, key) for time, key in frames])


class Grid(unittest.TestCase):
    def test_every_second_picture_of_ten_a_second(self):
        self.assertEqual(scoring_grid(video(80, 10, 20))[:3], [1, 3, 5])

    def test_pictures_that_do_not_fit_the_grid_come_after_it(self):
        # At 12.5 pictures a second, 0.2 s lies between the third (0.16 s) and the fourth (0.24 s).
        self.assertEqual(scoring_grid(video(1, 12.5, 20)), [1, 4, 6, 9, 11])

    def test_pictures_are_numbered_as_shown(self):
        shuffled = video(1, 10, 20)
        self.assertEqual(scoring_grid(Video(1, 1, shuffled.packets[::-1])), [1, 3, 5, 7, 9])


class PerfectRecorder(unittest.TestCase):
    def test_from_the_keyframe_before_the_pre_roll_to_the_end_of_the_post_roll(self):
        # Keyframes each 2 s; 20 s - 5 s lies after the one at 14 s. Kept: 14 s to 30 s, both pictures included.
        kept = perfect_bytes(video(60, 10, 20), [Visit(20, 25, None)])
        self.assertEqual(kept, 9 * 1000 + (161 - 9))

    def test_what_two_visits_share_counts_once(self):
        one = perfect_bytes(video(60, 10, 20), [Visit(20, 35, None)])
        two = perfect_bytes(video(60, 10, 20), [Visit(20, 25, None), Visit(28, 35, 3)])
        self.assertEqual(one, two)

    def test_a_visit_at_the_start_keeps_what_there_is(self):
        self.assertEqual(perfect_bytes(video(10, 10, 20), [Visit(0, 20, None)]), video(10, 10, 20).bytes)


class Keyframes(unittest.TestCase):
    def test_the_longest_interval_counts(self):
        self.assertEqual(video(60, 10, 20).key_interval_s, 2.0)
        self.assertIsNone(video(1, 10, 20).key_interval_s)
