# SPDX-License-Identifier: GPL-2.0-only
"""What each device measures is what its table and its part of the JSON show."""

import json
import unittest
from types import SimpleNamespace
from unittest import mock

from bench import blocktrace, report
from bench.devices import DEVICES, net
from bench.devices.device import latency, rates
from bench.peers import NAMES, platform_device

IPERF = json.dumps({"end": {"sum_sent": {"bits_per_second": 9e9},
                            "sum_received": {"bits_per_second": 1.5e9}}})


class FakePeer:
    """Does nothing, in no time that is 0."""

    name, at = NAMES[1], 1

    def __init__(self):
        self.said = []
        self.guest = SimpleNamespace(check=self.check)

    def check(self, script, *_):
        """The guest's shell."""
        self.said.append(script)
        return IPERF

    def file(self, pattern):
        """A path in the guest's sysfs."""
        return f"/sys/devices/virtio7/{pattern}"

    def trace(self, _):
        """A disk's requests; blocktrace.parse() is made up, too."""
        return ""

    def load(self, words):
        """A second for all of it; operations of 1000, 2000 and 3000 ns."""
        self.said.append(words)
        return [10 ** 9, 3000, 1000, 2000]


class Devices(unittest.TestCase):
    def times(self, name):
        """A round of a device, and what it said to its peer."""
        peer = FakePeer()
        with mock.patch.object(blocktrace, "parse", return_value=[1, 2, 3]):
            return DEVICES[name]().times(peer), peer.said

    def test_all_that_is_measured_is_shown_and_written(self):
        for name in DEVICES:
            found, _ = self.times(name)
            self.assertEqual(set(found), set(DEVICES[name].figures), name)
            rounds = [{each: found for each in NAMES}]
            text = "\n".join(report.time_table(rounds, DEVICES[name].figures))
            for title in DEVICES[name].figures.values():
                self.assertIn(title, text)
            summary = DEVICES[name]().summary(rounds, NAMES[0])
            self.assertEqual(summary["latency_us"]["median"], 2.0)
            self.assertEqual(summary["latency_us"]["p99"], 3.0)

    def test_rates(self):
        found, said = self.times("fs")
        self.assertEqual(found["small per s"], 100)
        self.assertAlmostEqual(found["read MB per s"], (32 << 20) / 1e6)
        self.assertIn(f"write /mnt/1/file {32 << 20}", said)
        found, said = self.times("vsock")
        self.assertAlmostEqual(found["from host MB per s"], (1 << 20) / 1e6)
        self.assertIn(f"send vsock 2 5000 {1 << 20}", said)

    def test_iperf_figure_is_what_was_received(self):
        self.assertEqual(net.mbit_per_s(IPERF), 1500)
        found, said = self.times("net")
        self.assertEqual(found["from host Mbit per s"], 1500)
        self.assertEqual(sum("--reverse" in words for words in said), 1)

    def test_each_peer_has_a_network_of_its_own(self):
        addresses = [net.Network.addresses(at) for at in range(len(NAMES))]
        self.assertEqual(len({guest.rpartition(".")[0] for guest, _ in addresses}), len(NAMES))
        self.assertEqual(addresses[0], ("10.0.2.15", "10.0.2.2"))


class Summary(unittest.TestCase):
    ROUNDS = [{"a": {"x median us": 1.23456, "x p99 us": 2, "y per s": 10.04}},
              {"a": {"x median us": 1.23456, "x p99 us": 4, "y per s": 10.06}}]

    def test_medians_over_the_rounds(self):
        self.assertEqual(latency(self.ROUNDS, "a", "x"),
                         {"latency_us": {"median": 1.235, "p99": 3}})
        self.assertEqual(rates(self.ROUNDS, "a", y="y per s"), {"y": 10.1})


class PlatformDevices(unittest.TestCase):
    def test_are_numbered_by_driver(self):
        self.assertEqual([platform_device(name) for name in NAMES],
                         ["virtio-mmio.0", "virtio-msg-mmio.0", "virtio-msg-mmio.1",
                          "virtio-uml.0"])
