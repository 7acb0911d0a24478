# SPDX-License-Identifier: GPL-2.0-only
"""make bench-neighbours measures, and what is not a matter of time is as it should be."""

import os
import unittest

from bench import footprint, neighbours
from testbed import msgd
from testbed.neighbour_kinds import KINDS


class Footprint(unittest.TestCase):
    """Of a virtio-msgd without sanitizers."""

    GUESTS = 4
    SECONDS = 2

    def test_small_and_quiet(self):
        found = footprint.measure(msgd.build(), self.GUESTS, self.SECONDS)
        self.assertEqual(footprint.missed({self.GUESTS: found}), [])
        self.assertGreater(found["child"]["private_kib"], 0)


class Neighbours(unittest.TestCase):
    SECONDS = 0.2

    def test_each_kind_everywhere(self):
        for place in neighbours.places(os.sched_getaffinity(0)):
            with neighbours.House(msgd.build(), place, 1) as house:
                [found] = neighbours.run_rounds(house, 1, self.SECONDS)
            self.assertEqual(set(found), set(KINDS))
            for kind, figures in found.items():
                with self.subTest(place=place.name, kind=kind):
                    self.assertGreater(figures["requests"], 0)
                    # A message for two requests
                    self.assertEqual(figures["accesses"], figures["requests"] * 3 / 2)
                    self.assertLessEqual(figures["p50 us"], figures["worst us"])
            self.assertGreater(found["flood"]["steps of neighbours"], 0)
            self.assertTrue(neighbours.neighbours_table([found]))
