# SPDX-License-Identifier: GPL-2.0-only
import os
import unittest

from bench import footprint

ROLLUP = """55bdb830f000-7ffecb7f3000 ---p 00000000 00:00 0                          [rollup]
Rss:                2472 kB
Pss:                 780 kB
Shared_Clean:       2080 kB
Private_Clean:        72 kB
Private_Dirty:       320 kB
"""


def measured(resident=2472, woken=0):
    """With one and with sixteen guests."""
    child = {"resident_kib": 2000, "private_kib": 300, "wake_ups": 0}
    parent = {"resident_kib": 2100, "private_kib": 200, "wake_ups": 0}
    return {1: {"child": child, "parent": parent},
            16: {"child": {**child, "resident_kib": resident},
                 "parent": {**parent, "wake_ups": woken}}}


class Footprint(unittest.TestCase):
    def test_rollup(self):
        self.assertEqual(footprint.parse_rollup(ROLLUP),
                         {"resident_kib": 2472, "private_kib": 392})

    def test_this_process(self):
        found = footprint.memory(os.getpid())
        self.assertGreater(found["resident_kib"], found["private_kib"])
        self.assertGreater(found["private_kib"], 0)
        self.assertGreaterEqual(footprint.wake_ups(os.getpid()), 0)

    def test_largest(self):
        self.assertEqual(footprint.largest([{"a": 1, "b": 5}, {"a": 3, "b": 2}]),
                         {"a": 3, "b": 5})

    def test_table(self):
        text = "\n".join(footprint.table(measured(woken=3)))
        self.assertRegex(text, r"\n1 +2000 KiB +300 KiB +2100 KiB +200 KiB +0 +0\n")
        self.assertRegex(text, r"\n16 +2472 KiB +300 KiB +2100 KiB +200 KiB +0 +3$")

    def test_missed(self):
        self.assertEqual(footprint.missed(measured()), [])
        [line] = footprint.missed(measured(resident=3073))
        self.assertIn("16 guests: a guest's process takes 3073 KiB", line)
        [line] = footprint.missed(measured(woken=2))
        self.assertIn("16 guests: 2 wake-ups", line)
