# SPDX-License-Identifier: GPL-2.0-only
"""A guest with two CPUs that use one device at once: nothing is lost, nothing done twice.

Linux 6.12 has one CPU in User Mode Linux.
"""

import shutil
from collections import Counter
from itertools import pairwise

from bench.machine import I2C_ADDRESS
from testbed import kicks, load
from testbed.e2e.case import GuestTest, on_two_cpus

MODES = ("page=on", "page=off")
NUMBER = 500
# load warms up first
ROUND_TRIPS = 64 + NUMBER
# Without EVENT_IDX the driver tells of each request, as the device never says not to
DISK = "device=blk,event-idx=off"


class TwoCpus(GuestTest):
    def boot_two(self, device):
        """A guest with DEVICE in both modes, window by window."""
        bed = self.boot([f"{device},{mode}" for mode in MODES], cpus=2)
        self.assertEqual(bed.guest.check("nproc").strip(), "2")
        shutil.copy(load.build(), bed.guest.directory / "load")
        return bed

    def at_once(self, bed, window, first, second):
        """One command on each CPU; returns the window's counters and the kicks' CPUs."""
        bed.msgd.control("counters-reset")
        found = kicks.traced(bed.guest, on_two_cpus(first, second))
        counters = bed.msgd.counters(window)
        self.assertEqual(counters["kicks"], len(found))
        self.assertEqual(counters["responses"], counters["requests"])
        self.assertEqual(counters["discarded"], 0)
        return counters, [cpu for cpu, _ in found]

    def assert_shared(self, cpus):
        """Both CPUs kicked for all that they did, and neither waited for the other's end."""
        self.assertEqual(Counter(cpus), {0: ROUND_TRIPS, 1: ROUND_TRIPS})
        self.assertGreater(sum(a != b for a, b in pairwise(cpus)), 2)

    def test_clock(self):
        bed = self.boot_two("device=i2c")
        for window, mode in enumerate(MODES):
            with self.subTest(mode):
                load = f"/host/load i2c {bed.node(window, 'i2c-*')} {I2C_ADDRESS} {NUMBER}"
                counters, cpus = self.at_once(bed, window, load, load)
                self.assert_shared(cpus)
                self.assertEqual(counters["interrupts"], 2 * ROUND_TRIPS)

    def test_disk(self):
        bed = self.boot_two(DISK)
        for window, mode in enumerate(MODES):
            with self.subTest(mode):
                load = f"/host/load disk {bed.node(window, 'block/vd*')} {NUMBER}"
                _, cpus = self.at_once(bed, window, load, load)
                self.assert_shared(cpus)

    def test_messages_while_the_other_cpu_kicks(self):
        """Each write of that file is a SET_CONFIG, and makes the driver look again."""
        bed = self.boot_two(DISK)
        for window, mode in enumerate(MODES):
            with self.subTest(mode):
                disk = bed.node(window, "block/vd*")
                path = f"/sys/block/{disk.rpartition('/')[2]}/cache_type"
                counters, cpus = self.at_once(
                    bed, window, f"/host/load disk {disk} {NUMBER}",
                    f"sh -c 'for n in $(seq {NUMBER}); do echo write through > {path}; done'")
                self.assertEqual(counters["requests"],
                                 {"SET_CONFIG": NUMBER, "GET_CONFIG": NUMBER})
                self.assertEqual(Counter(cpus), {0: ROUND_TRIPS})
