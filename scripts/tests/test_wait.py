# SPDX-License-Identifier: GPL-2.0-only
"""Waiting ends when it is to end."""

import unittest

from scripts import wait


class Until(unittest.TestCase):
    def test_at_once(self):
        self.assertEqual(wait.until(lambda: 3, 0), 3)

    def test_later(self):
        answers = iter((0, None, "", 7, 8))
        self.assertEqual(wait.until(lambda: next(answers), 10, 0), 7)

    def test_never(self):
        asked = []
        self.assertEqual(wait.until(lambda: asked.append(1), 0.05, 0.01), None)
        self.assertGreater(len(asked), 1)


if __name__ == "__main__":
    unittest.main()
