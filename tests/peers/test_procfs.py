"""What /proc says."""

import os
import subprocess
import sys
import unittest

from peers.procfs import TICKS_PER_S, descendants, parse_memory, parse_stat, usage

STAT = "4242 (a (odd) name) S 17 4242 4242 0 -1 4194304 9142 5 3 0 {} {} {} {} 20 0 3 0 1387631 438616064 16999"
ROLLUP = """55d9a2151000-7fff077f9000 ---p 00000000 00:00 0                          [rollup]
Rss:               68608 kB
Pss:               45056 kB
Pss_Dirty:         26960 kB
Shared_Clean:      30000 kB
"""


class Parsing(unittest.TestCase):
    def test_times_come_after_a_name_that_may_hold_blanks_and_brackets(self):
        stat = parse_stat(STAT.format(3 * TICKS_PER_S, TICKS_PER_S, TICKS_PER_S, 0))
        self.assertEqual((stat.parent, stat.own_s, stat.ended_s), (17, 4.0, 1.0))

    def test_memory_is_counted_as_lares_bench_counts(self):
        self.assertEqual(parse_memory(ROLLUP), (67.0, 44.0))


class Family(unittest.TestCase):
    def test_children_of_children_belong_to_it_and_parents_do_not(self):
        self.assertEqual(descendants(2, {1: 0, 2: 1, 3: 2, 4: 3, 5: 1}), {2, 3, 4})

    def test_a_running_child_counts_where_asked_for(self):
        # The shell stays: it waits for the child and then has more to do.
        script = "import sys; sum(range(30_000_000)); print(flush=True); sys.stdin.read()"
        command = ["sh", "-c", f"{sys.executable!r} -c {script!r}; true"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
            shell.stdout.readline()
            alone, family = (usage(shell.pid, with_children) for with_children in (False, True))
            shell.stdin.close()
        self.assertGreater(family.cpu_s, alone.cpu_s)
        self.assertGreater(family.rss_mb, alone.rss_mb)

    def test_one_that_has_ended_is_an_error(self):
        with subprocess.Popen(["true"]) as ended:
            pass
        self.assertRaises((FileNotFoundError, ProcessLookupError), usage, ended.pid, with_children=True)

    def test_we_ourselves_take_some_memory(self):
        used = usage(os.getpid(), with_children=False)
        self.assertGreater(used.rss_mb, 1)
        self.assertGreaterEqual(used.rss_mb, used.pss_mb)
