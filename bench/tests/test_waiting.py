# SPDX-License-Identifier: GPL-2.0-only
"""What the guest says, and what is made of it."""

import unittest

from bench import waiting

FOUND = {"page": {"alone": {"reads_per_s": 200.0, "longest_s": 0.02},
                  "beside": {"reads_per_s": 180.0, "longest_s": 0.03}},
         "window": {"alone": {"reads_per_s": 100.0, "longest_s": 0.02},
                    "beside": {"reads_per_s": 1.0, "longest_s": 3.01}}}


class Waiting(unittest.TestCase):
    def test_parse(self):
        self.assertEqual(waiting.parse("600 300 4\n"), {"reads_per_s": 200.0, "longest_s": 0.04})
        self.assertEqual(waiting.parse("0 0 0"), {"reads_per_s": 0.0, "longest_s": 0.0})

    def test_table(self):
        lines = waiting.table(FOUND, 3)
        self.assertRegex(lines[2], r"comes late +200/s +x 0.90 +0.02 s +0.03 s")
        self.assertRegex(lines[3], r"in the trap +100/s +x 0.01 +0.02 s +3.01 s")


if __name__ == "__main__":
    unittest.main()
