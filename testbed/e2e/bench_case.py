# SPDX-License-Identifier: GPL-2.0-only
"""What the bench has to come to, on whatever machine."""

from bench import measure
from bench.transports import PAGE, STOCK, TRANSPORTS, WINDOW

# With virtio-mmio as the kernel has it; "window" follows from the messages' sizes
EXPECTED = {
    STOCK: {"probe": {"rng": 35, "i2c": 34, "blk": 46},
            "kick": 1, "interrupt": 2, "round_trip": 3},
    WINDOW: {"probe": {"rng": 56, "i2c": 55, "blk": 97},
             "kick": 1, "interrupt": 1, "round_trip": 2},
    PAGE: {"probe": {"rng": 14, "i2c": 13, "blk": 15},
           "kick": 1, "interrupt": 0, "round_trip": 1},
}
# The same messages on a guest with words of 32 bits
NARROW = {WINDOW: {"rng": 98, "i2c": 97}, PAGE: {"rng": 16, "i2c": 15}}


class TrapTests:
    """Tests of what the transports cost on self.machine, a Machine of the bench."""

    def tearDown(self):
        self.assertEqual(self.machine.splats(), [])

    def check(self, transport):
        """All counts of TRANSPORT, twice."""
        for _ in range(2):
            figures, phases = measure.count(self.machine, transport)
            self.assertEqual(figures, EXPECTED[transport])
        return phases

    def test_virtio_mmio(self):
        phases = self.check(STOCK)
        reads = phases[f"{measure.COUNTED} config reads"]
        self.assertEqual(reads["traps"]["total"], measure.COUNTED)

    def test_window_mode(self):
        phases = self.check(WINDOW)
        self.assertEqual(measure.narrow(phases, WINDOW), NARROW[WINDOW])
        for device in ("rng", "i2c"):
            self.assertLessEqual(EXPECTED[WINDOW]["probe"][device],
                                 2 * EXPECTED[STOCK]["probe"][device])

    def test_page_mode(self):
        phases = self.check(PAGE)
        self.assertEqual(measure.narrow(phases, PAGE), NARROW[PAGE])
        # One message for all of config space, and that was read in the probe
        self.assertEqual(phases["probe blk"]["requests"]["GET_CONFIG"], 1)
        reads = phases[f"{measure.COUNTED} config reads"]
        self.assertEqual(reads["traps"]["total"], 0)

    def test_requests_that_are_queued_share_kick_and_interrupt(self):
        for transport in (STOCK, WINDOW, PAGE):
            node = self.machine.node(transport, "blk")
            counters, _ = self.machine.load(transport, "blk", f"queue {node} 32 640")
            self.assertEqual((counters["kicks"], counters["interrupts"]), (20, 20))
            self.assertEqual(counters["traps"]["total"], 20 * EXPECTED[transport]["round_trip"])


def check_figures(test, figures):
    """FIGURES are of the shape that was agreed, with exact counts and times that can be."""
    test.assertEqual(list(figures), ["transports"])
    test.assertEqual(list(figures["transports"]), [each.name for each in TRANSPORTS])
    for transport in TRANSPORTS:
        found = figures["transports"][transport.name]
        test.assertEqual(list(found), ["traps", "latency_us", "rps", "config_reads_per_s",
                                       "probe_us"])
        test.assertEqual(found["traps"], EXPECTED[transport])
        test.assertEqual(list(found["latency_us"]), ["median", "p99"])
        test.assertEqual(list(found["rps"]), ["qd1", "qd32"])
        test.assertGreater(found["latency_us"]["median"], 0)
        test.assertGreaterEqual(found["latency_us"]["p99"], found["latency_us"]["median"])
        test.assertGreater(found["rps"]["qd1"], 0)
        test.assertGreater(found["config_reads_per_s"], 0)
        test.assertEqual(list(found["probe_us"]), ["rng", "i2c"])
        test.assertGreater(min(found["probe_us"].values()), 0)
