# SPDX-License-Identifier: GPL-2.0-only
"""The window that is measured, and the table."""

import unittest

from bench import slots

FOUND = {8: {"messages": 81, "traps": 90, "memory_kib": 100, "bind_ms": 30.0, "read_us": 110.0},
         1: {"messages": 10, "traps": 14, "memory_kib": 12, "bind_ms": 10.0, "read_us": 100.0}}


class Slots(unittest.TestCase):
    def test_windows(self):
        self.assertEqual(slots.windows(1), [["device=rng"]])
        self.assertEqual(slots.windows(3), [["device=rng,slots=3", "device=rng", "device=rng"]])

    def test_table(self):
        lines = slots.table(FOUND)
        self.assertRegex(lines[2], r"^ *1 +10 +14 +x 1.0 +12 KiB +x 1.00")
        self.assertRegex(lines[3], r"^ *8 +81 +90 +x 3.0 +100 KiB +x 1.10")


if __name__ == "__main__":
    unittest.main()
