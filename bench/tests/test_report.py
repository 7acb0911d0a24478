# SPDX-License-Identifier: GPL-2.0-only
import copy
import unittest

from bench import report, stats
from bench.devices.device import Device
from bench.measure import DEPTH

COUNTED = {
    "virtio-mmio": {"probe": {"rng": 35, "i2c": 34}, "kick": 1, "interrupt": 2, "round_trip": 3},
    "virtio-msg-window": {"probe": {"rng": 56, "i2c": 55}, "kick": 1, "interrupt": 1,
                          "round_trip": 2},
    "virtio-msg-page": {"probe": {"rng": 14, "i2c": 13}, "kick": 1, "interrupt": 0,
                        "round_trip": 1},
}


def round_of(factor):
    """A round in which the transports take 4, 3 and 2 times FACTOR."""
    return {name: {figure: factor * times for figure in report.TIMES}
            for name, times in zip(report.NAMES, (4.0, 3.0, 2.0))}


ROUNDS = [round_of(1), round_of(2), round_of(10)]


class Summary(unittest.TestCase):
    def test_has_the_shape_that_was_asked_for(self):
        found = report.summary(COUNTED, ROUNDS)
        self.assertEqual(list(found), ["transports"])
        self.assertEqual(list(found["transports"]), report.NAMES)
        self.assertEqual(found["transports"]["virtio-msg-page"], {
            "traps": COUNTED["virtio-msg-page"],
            "latency_us": {"median": 4.0, "p99": 4.0},
            "rps": {"qd1": 4.0, "qd32": 4.0},
            "config_reads_per_s": 4.0,
            "probe_us": {"rng": 4.0, "i2c": 4.0}})


class Fake(Device):
    """A device with one figure."""

    name, title, backend = "fake", "A fake", "daemon"
    figures = {"look median us": "a look at it, median"}

    def summary(self, rounds, name):
        return {"looks": stats.middle(rounds, name, "look median us")}


def looks(*names):
    """Three rounds of a Fake."""
    return [{name: {"look median us": time / (at + 1)} for at, name in enumerate(names)}
            for time in (6.0, 12.0, 60.0)]


class Backends(unittest.TestCase):
    def test_with_the_peer_that_is_no_transport(self):
        rounds = looks(*report.NAMES, "virtio_uml")
        found = report.backend_summary(Fake(), rounds)
        self.assertEqual(found, {"backend": "daemon", "transports": {
            "virtio-mmio": {"looks": 12.0}, "virtio-msg-window": {"looks": 6.0},
            "virtio-msg-page": {"looks": 4.0}, "virtio_uml": {"looks": 3.0}}})
        text = "\n".join(report.backend_table(Fake(), rounds))
        self.assertIn("A fake by daemon", text)
        self.assertRegex(text, r"a look at it, median +12.0 us +x 0.50 .* +x 0.33 .* +x 0.25 ")

    def test_the_disk_is_where_it_was_before_there_were_others(self):
        found = report.backends_summary({"blk": {"backend": "a", "transports": {}},
                                         "fs": {"backend": "b", "transports": {}}})
        self.assertEqual(found, {"backend": "a", "transports": {},
                                 "fs": {"backend": "b", "transports": {}}})
        self.assertEqual(report.backends_summary({"fs": 1}), {"fs": 1})


class Missed(unittest.TestCase):
    def test_nothing_when_all_is_reached(self):
        self.assertEqual(report.missed(COUNTED, ROUNDS, 0.5), [])

    def test_each_goal(self):
        for name, change, words in (
                ("virtio-msg-page", {"round_trip": 2}, "round_trip takes 2"),
                ("virtio-msg-page", {"interrupt": 1}, "interrupt takes 1"),
                ("virtio-msg-page", {"probe": {"rng": 15, "i2c": 13}}, "probe rng takes 15"),
                ("virtio-msg-window", {"kick": 2}, "kick takes 2"),
                ("virtio-msg-window", {"probe": {"rng": 71, "i2c": 55}}, "more than twice")):
            counted = copy.deepcopy(COUNTED)
            counted[name].update(change)
            [line] = report.missed(counted, ROUNDS)
            self.assertIn(words, line)

    def test_time(self):
        rounds = copy.deepcopy(ROUNDS)
        for each in rounds:
            each["virtio-msg-page"]["round trip median us"] *= 1.02
        [line] = report.missed(COUNTED, rounds, 0.5)
        self.assertIn("0.51", line)
        self.assertEqual(report.missed(COUNTED, rounds), [])


class Tables(unittest.TestCase):
    def test_ratios_with_their_spread(self):
        rounds = copy.deepcopy(ROUNDS)
        rounds[0]["virtio-msg-page"][f"blk per s at depth {DEPTH}"] = 6.0
        text = "\n".join(report.time_table(rounds))
        self.assertIn("3 rounds", text)
        self.assertRegex(text, rf"depth {DEPTH} +8.0 +x 0.75 \(0.75 to 0.75\) "
                         r"+x 0.50 \(0.50 to 1.50\)")

    def test_counts(self):
        lines = report.count_table(COUNTED, {"virtio-mmio": None,
                                             "virtio-msg-window": {"rng": 98, "i2c": 97},
                                             "virtio-msg-page": {"rng": 16, "i2c": 15}})
        self.assertRegex("\n".join(lines), r"probe rng +35 +56 +14")
        self.assertRegex("\n".join(lines), r"probe i2c, 32-bit.* +34 +97 +15")
        self.assertEqual(len({len(line) for line in lines}), 1)
