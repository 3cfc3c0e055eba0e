import unittest

from .__main__ import judge, wakes
from .cases import Case, Promise, Result

LOG = """\
2026-01-01T00:00:00.500000Z  INFO pictures arrive camera=a stream="sub" format=H.264 640x360
2026-01-01T00:00:01.500000Z  INFO pictures arrive camera=b stream="sub" format=H.264 640x360
2026-01-01T00:05:00.000000Z DEBUG decoder camera=b from=Asleep to=Awake { every: 200ms }
2026-01-01T00:05:09.000000Z DEBUG decoder camera=b from=Awake { every: 200ms } to=Asleep
2026-01-01T00:10:01.700000Z DEBUG decoder camera=a from=Asleep to=Awake { every: 200ms }
2026-01-01T00:10:02.000000Z DEBUG decoder camera=b from=Asleep to=Awake { every: 200ms }
2026-01-01T00:10:03.000000Z DEBUG decoder camera=b from=Awake { every: 200ms } to=Awake { every: 100ms }
2026-01-01T00:00:02.500000Z  INFO pictures arrive camera=c stream="sub" format=H.264 640x360
2026-01-01T00:10:02.400000Z DEBUG decoder camera=c from=Asleep to=Awake { every: 200ms }
2026-01-01T00:00:02.500000Z  INFO pictures arrive camera=d stream="sub" format=H.264 640x360
2026-01-01T00:10:01.400000Z DEBUG decoder camera=d from=Asleep to=Awake { every: 200ms }
"""


class Load(unittest.TestCase):
    def test_each_camera_wakes_once_after_the_first_movement(self):
        self.assertEqual([round(wake, 3) for wake in wakes(LOG)], [0.0, 0.5, 1.2])
        self.assertEqual(wakes("nonsense\n"), [])

    def test_the_median_is_judged_and_nothing_measured_is_broken(self):
        fast = Promise("fast", lambda r: r.p95("ms"), most=100)
        many = Promise("many", lambda r: r["n"], least=2)
        case = Case("case", [], 1, [fast, many])
        of = lambda p95, n: Result({"ms": {"p95": p95}, "n": n})  # noqa: E731
        verdicts = lambda results: [row[3] for row in judge(case, results)]  # noqa: E731
        self.assertEqual(verdicts([of(300, 1), of(90, 2), of(100, 3)]), ["kept", "kept"])
        self.assertEqual(verdicts([of(None, 1)]), ["BROKEN", "BROKEN"])
