# SPDX-License-Identifier: GPL-2.0-only
import unittest

from bench.transports import PAGE, STOCK, WINDOW
from bench.xen import Xen


class Dom0:
    """Takes commands and does nothing."""

    def __init__(self):
        self.commands = []

    def run(self, command, *_, **__):
        self.commands.append(command)
        return ""


class Windows(unittest.TestCase):
    """xl's entries, virtio-msgd's rules and the guest's names speak of the same windows."""

    def setUp(self):
        self.dom0 = Dom0()
        self.machine = Xen(self.dom0)

    def test_a_rule_for_each_of_xls_entries(self):
        [configuration] = [each for each in self.dom0.commands if "virtio = " in each]
        [line] = [each for each in configuration.splitlines() if each.startswith("virtio = ")]
        entries = line.split('", "')
        self.assertEqual(len(entries), len(self.machine.service.rules))
        for number, (entry, rule) in enumerate(zip(entries, self.machine.service.rules)):
            self.assertTrue(rule.startswith(f"index={number},"), rule)
            for device, name in (("rng", "device4,"), ("i2c", "device22,"), ("blk", "device2,")):
                self.assertEqual(f"device={device}," in rule, name in entry, (entry, rule))

    def test_names_in_the_guest(self):
        rules = self.machine.service.rules
        for transport, device, name, at in ((STOCK, "rng", "2000000.virtio", 0),
                                            (WINDOW, "i2c", "2000800.virtio", 4),
                                            (PAGE, "blk", "2001000.virtio", 8)):
            self.assertEqual(self.machine.platform_device(transport, device), name)
            self.assertEqual(rules[at], f"index={at},device={device},{transport.options}")
