# SPDX-License-Identifier: GPL-2.0-only
"""What is made of the counters of a function, and of rounds."""

import unittest
from unittest import mock

from bench import qemu
from scripts import say

BOUND = {"kicks": 1, "traps": {"total": 18, "read": {"Magic": 5, "Identity": 1},
                               "write": {"Page": 1, "Doorbell": 10, "QueueNotify": 1}},
         "requests": {}}


def machine(counters, interrupts=(0, 464, 0, 100, 0, 464, 0, 200)):
    """A Machine with what was counted, and /proc/interrupts one after the other."""
    made = mock.Mock()
    made.bind.return_value = made.bed.counters.return_value = counters
    made.interrupts.side_effect = list(interrupts)
    made.disk.return_value = "vda"
    return made


class Counts(unittest.TestCase):
    def test_bring_up_tells_waiting_apart(self):
        self.assertEqual(qemu.bring_up(machine(BOUND), "rng"),
                         {"bring up rng": 15, "bring up rng, more while it waited": 3})

    def test_bring_up_ends_with_the_first_kick(self):
        traps = {"total": 20, "read": {"Magic": 2, "Identity": 1},
                 "write": {"Page": 1, "Doorbell": 11, "QueueNotify": 5}}
        counters = {"kicks": 5, "traps": traps, "requests": {}}
        self.assertEqual(qemu.bring_up(machine(counters), "blk")["bring up blk"], 16)
        with self.assertRaisesRegex(say.Error, "5 kicks"):
            qemu.bring_up(machine(counters), "rng")

    def test_per_read(self):
        counters = {"kicks": 464, "traps": {"total": 464, "read": {},
                                            "write": {"QueueNotify": 464}}, "requests": {}}
        found = qemu.per_read(machine(counters))
        self.assertEqual(found[qemu.PCI]["interrupts per read, depth 1"], 1)
        self.assertEqual(found[qemu.MSG]["kicks per read, depth 1"], 1)
        self.assertEqual(found[qemu.MSG]["accesses per kick, depth 32"], 1)
        self.assertEqual(found[qemu.PCI]["interrupts per read, depth 32"],
                         100 / (qemu.QUEUED + qemu.WARM_UP))

    def test_an_access_too_many_is_an_error(self):
        counters = {"kicks": 464, "traps": {"total": 465, "read": {"Magic": 1},
                                            "write": {"QueueNotify": 464}}, "requests": {}}
        with self.assertRaisesRegex(say.Error, "465 traps for 464 kicks"):
            qemu.per_read(machine(counters))


class Rounds(unittest.TestCase):
    def test_they_take_turns(self):
        order = []
        with mock.patch("bench.qemu.times", lambda _machine, name: order.append(name)):
            qemu.run_rounds(None, 3)
        self.assertEqual(order, [qemu.PCI, qemu.MSG, qemu.MSG, qemu.PCI, qemu.PCI, qemu.MSG])

    def test_table(self):
        rounds = [{qemu.PCI: {"rng us": 10}, qemu.MSG: {"rng us": us}} for us in (5, 8, 20)]
        self.assertRegex(qemu.time_table(rounds)[2], r"^rng us +10 +x 0.80 \(0.50 to 2.00\)$")

    def test_interrupts_of_all_vectors_and_cpus(self):
        bench = object.__new__(qemu.Machine)
        bench.devices = {qemu.MSG: {"blk": "0000:00:02.0"}}
        bench.guest = mock.Mock()
        bench.guest.check.return_value = (" 25:    0    7  PCI-MSIX-0000:00:02.0   0-edge  a\n"
                                          " 26:  400    3  PCI-MSIX-0000:00:02.0   1-edge  b\n")
        self.assertEqual(bench.interrupts(qemu.MSG, "blk"), 410)
