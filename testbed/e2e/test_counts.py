# SPDX-License-Identifier: GPL-2.0-only
"""Traps, messages, kicks and interrupts: counted by virtio-msgd, the same in every run."""

from testbed.e2e.case import GuestTest

PROBE = {"GET_DEVICE_INFO": 1, "GET_DEVICE_FEATURES": 1, "SET_DRIVER_FEATURES": 1,
         "SET_DEVICE_STATUS": 5, "GET_VQUEUE": 1, "SET_VQUEUE": 1}
READS = 20
# Not the rng: the kernel reads that by itself, too
READ_I2C = f"for n in $(seq {READS}); do i2cget -y 0 0x68 6; done"


class Counts(GuestTest):
    def booted(self, window):
        """The Bed of a guest with WINDOW, and the window's counters once it is up."""
        bed = self.boot([window])
        return bed, bed.msgd.counters()

    def counted(self, bed, script):
        """The counters of what SCRIPT makes of window 0."""
        bed.msgd.control("counters-reset")
        bed.guest.check(script)
        return bed.msgd.counters()

    def test_probe_of_rng_in_page_mode(self):
        _, counters = self.booted("device=rng")
        kicks = counters["kicks"]
        self.assertGreater(kicks, 0)
        self.assertEqual(counters["traps"], {
            "total": 13 + kicks, "read": {"Magic": 1, "Identity": 1},
            "write": {"Page": 1, "Doorbell": 10, "QueueNotify": kicks}})
        self.assertEqual(counters["requests"], PROBE)
        self.assertEqual(counters["responses"], PROBE)
        self.assertEqual(counters["discarded"], 0)

    def test_probe_of_i2c_in_page_mode(self):
        _, counters = self.booted("device=i2c")
        self.assertEqual(counters["traps"], {
            "total": 13, "read": {"Magic": 1, "Identity": 1},
            "write": {"Page": 1, "Doorbell": 10}})
        self.assertEqual(counters["requests"], PROBE)

    def test_probe_of_i2c_in_window_mode(self):
        _, counters = self.booted("device=i2c,page=off")
        self.assertEqual(counters["requests"], PROBE)
        self.assertEqual(counters["traps"], {
            "total": 55, "read": {"Magic": 1, "Identity": 1, "Window": 28},
            "write": {"Page": 1, "Window": 24}})

    def test_probe_of_i2c_over_virtio_mmio(self):
        _, counters = self.booted("device=i2c,personality=mmio")
        self.assertEqual(counters["traps"]["total"], 34)

    def test_round_trip_in_page_mode_is_one_trap(self):
        bed, _ = self.booted("device=i2c")
        counters = self.counted(bed, READ_I2C)
        self.assertEqual(counters["traps"], {"total": READS, "read": {},
                                             "write": {"QueueNotify": READS}})
        self.assertEqual((counters["kicks"], counters["interrupts"]), (READS, READS))

    def test_round_trip_in_window_mode_is_two(self):
        bed, _ = self.booted("device=i2c,page=off")
        counters = self.counted(bed, READ_I2C)
        self.assertEqual(counters["traps"], {"total": 2 * READS, "read": {"Event": READS},
                                             "write": {"QueueNotify": READS}})

    def test_round_trip_over_virtio_mmio_is_three(self):
        bed, _ = self.booted("device=i2c,personality=mmio")
        counters = self.counted(bed, READ_I2C)
        self.assertEqual(counters["traps"], {
            "total": 3 * READS, "read": {"InterruptStatus": READS},
            "write": {"QueueNotify": READS, "InterruptACK": READS}})

    def test_rebinding_the_bus_costs_the_same_each_time(self):
        bed, _ = self.booted("device=i2c")
        rebind = ("cd /sys/bus/platform/drivers/virtio-msg-mmio; echo virtio-msg-mmio.0 > unbind; "
                  "echo virtio-msg-mmio.0 > bind; test -e /dev/i2c-0")
        first, second = self.counted(bed, rebind), self.counted(bed, rebind)
        self.assertEqual(first["traps"], second["traps"])
        self.assertEqual(first["requests"], second["requests"])

    def test_an_idle_guest_traps_nothing(self):
        bed, _ = self.booted("device=i2c")
        counters = self.counted(bed, "sleep 1; cat /sys/bus/virtio/devices/virtio0/status")
        self.assertEqual(counters["traps"]["total"], 0)


class Trace(GuestTest):
    def test_tracepoints_show_each_message_with_its_latency(self):
        bed = self.boot(["device=rng"])
        trace = bed.guest.check(
            "cd /sys/kernel/tracing; echo 1 > events/virtio_msg/enable; "
            "cd /sys/bus/virtio/drivers/virtio_rng; echo virtio0 > unbind; echo virtio0 > bind; "
            "cat /sys/kernel/tracing/trace")
        requests = [line for line in trace.splitlines() if "virtio_msg_request:" in line]
        responses = [line for line in trace.splitlines() if "virtio_msg_response:" in line]
        self.assertEqual(len(requests), len(responses))
        self.assertEqual(sum(" id=0xa " in line for line in requests), 1, trace)
        for line in responses:
            self.assertRegex(line, r"type=0x1 .* err=0 latency=[1-9]\d* ns$")
