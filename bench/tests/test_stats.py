# SPDX-License-Identifier: GPL-2.0-only
import unittest

from bench import stats

ROUNDS = [{"a": {"x": 10.0}, "b": {"x": 5.0}}, {"a": {"x": 20.0}, "b": {"x": 4.0}},
          {"a": {"x": 8.0}, "b": {"x": 6.0}}]


class Stats(unittest.TestCase):
    def test_percentile(self):
        values = list(range(1, 201))
        self.assertEqual(stats.percentile(values, 50), 100)
        self.assertEqual(stats.percentile(values, 99), 198)
        self.assertEqual(stats.percentile(values, 100), 200)
        self.assertEqual(stats.percentile([7], 99), 7)

    def test_median_of_binned(self):
        self.assertEqual(stats.median_of_binned([3, 3, 3, 3]), 3)
        self.assertAlmostEqual(stats.median_of_binned([3, 4, 4, 4]), 4 - 0.5 + 1 / 3)

    def test_ratios_are_taken_within_a_round(self):
        ratios = stats.ratios(ROUNDS, "b", "a", "x")
        self.assertEqual(ratios, [0.5, 0.2, 0.75])
        self.assertEqual(stats.spread(ratios), (0.5, 0.2, 0.75))

    def test_middle(self):
        self.assertEqual(stats.middle(ROUNDS, "a", "x"), 10.0)
