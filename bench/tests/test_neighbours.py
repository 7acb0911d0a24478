# SPDX-License-Identifier: GPL-2.0-only
import copy
import os
import unittest

from bench import neighbours
from scripts import say
from testbed.neighbour_kinds import KINDS


def round_of(factor):
    """A round in which an access takes FACTOR times 10, 20 and 40 us beside each kind."""
    return {kind: {"p50 us": 10.0 * factor, "p99 us": 20.0 * factor, "worst us": 40.0 * factor,
                   "accesses": 300, "requests": 200, "steps of neighbours": 7}
            for kind in KINDS}


ROUNDS = [round_of(1), round_of(2), round_of(4)]


def changed(kind, figure, values):
    """ROUNDS with other VALUES."""
    rounds = copy.deepcopy(ROUNDS)
    for each, value in zip(rounds, values, strict=True):
        each[kind][figure] = value
    return rounds


class Figures(unittest.TestCase):
    def test_of_times(self):
        self.assertEqual(neighbours.of_times([*range(200_000, 0, -1000)]),
                         {"p50 us": 100.0, "p99 us": 198.0, "worst us": 200.0, "accesses": 200})

    def test_ratios_are_those_of_medians(self):
        rounds = changed("flood", "worst us", [40.0, 120.0, 4000.0])
        self.assertEqual(neighbours.ratio(rounds, "flood", "worst us"), 1.5)
        self.assertEqual(neighbours.ratio(rounds, "fuzz", "worst us"), 1.0)

    def test_table(self):
        text = "\n".join(neighbours.neighbours_table(
            changed("flood", "worst us", [40.0, 120.0, 4000.0])))
        self.assertIn("3 rounds", text)
        self.assertRegex(text, r"do nothing +20.0 us +40.0 us +80.0 us +80 us +300\n")
        self.assertRegex(text, r"flood +x 1.00 +x 1.00 +x 1.50 \(1.00 to 25.00\) +120 us +300\n")

    def test_summary(self):
        found = neighbours.summary(changed("slow", "p99 us", [60.0, 60.0, 60.0]))
        self.assertEqual(found["rounds"], 3)
        self.assertEqual(list(found["beside"]), list(KINDS))
        self.assertEqual(found["beside"]["slow"], {
            "p50_us": 20.0, "p99_us": 60.0, "worst_us": 80.0, "accesses": 300, "requests": 200,
            "ratio": {"p50": 1.0, "p99": 1.5, "worst": 1.0}})

    def test_missed(self):
        self.assertEqual(neighbours.missed(changed("fuzz", "worst us", [160.0] * 3)), [])
        [line] = neighbours.missed(changed("fuzz", "worst us", [168.0] * 3))
        self.assertIn("that fuzz the worst access takes 2.10 times", line)


class Places(unittest.TestCase):
    def test_two_cpus(self):
        apart, first, together = neighbours.places({3, 5})
        self.assertEqual((apart.name, apart.mine, apart.others), ("apart", {5}, {3}))
        self.assertTrue(apart.first and first.first and not together.first)
        for place in (first, together):
            self.assertEqual((place.mine, place.others), ({3, 5}, {3, 5}))

    def test_one_cpu(self):
        self.assertEqual([place.name for place in neighbours.places({0})], ["first", "together"])

    def test_moved_and_put_back(self):
        before = os.sched_getaffinity(0), os.sched_getscheduler(0)
        for place in neighbours.places(before[0]):
            with place.moved():
                self.assertEqual(os.sched_getaffinity(0), place.mine)
            self.assertEqual((os.sched_getaffinity(0), os.sched_getscheduler(0)), before)


class Options(unittest.TestCase):
    def test_nothing_makes_no_sense(self):
        self.assertEqual(neighbours.parse([]).rounds, neighbours.ROUNDS)
        for words in ("--rounds=0", "--neighbours=0", "--seconds=0"):
            with self.assertRaises(say.Error):
                neighbours.parse([words])
