# SPDX-License-Identifier: GPL-2.0-only
"""Guests with devices of two vhost-user backends, and guests each with backends of its own."""

from testbed.xen.e2e.test_chain import ChainTest, i2c, rng
from testbed.xen.service import I2cBackend, RngBackend, Service

# The backend's file of random numbers has lines of five digits
PIECE = "dd if=/dev/hwrng bs=60 count=1 2>/dev/null"


class TwoBackends(ChainTest):
    """vhost-device-i2c and vhost-device-rng, unmodified."""

    def serve(self, *rules):
        """virtio-msgd with RULES."""
        service = Service(self.dom0, rules)
        service.start()
        self.addCleanup(service.stop)
        return service

    def backend(self, kind, name=""):
        """A running backend of that KIND."""
        made = kind(self.dom0, name)
        made.__enter__()
        self.addCleanup(made.__exit__)
        return made

    def assert_counts(self, guest):
        """What the guest has of random numbers is a part of the backend's file."""
        guest.wait("grep -q virtio /sys/class/misc/hw_random/rng_current", 30, "the device")
        piece = guest.run(PIECE)
        lines = piece.splitlines()[1:-1]
        self.assertGreater(len(lines), 3, piece)
        first = int(lines[0])
        self.assertEqual(lines, [f"{first + n:05}" for n in range(len(lines))])

    def test_rng(self):
        service = self.serve(self.backend(RngBackend).rule)
        guest = self.guest(virtio=[rng()])
        self.assert_counts(guest)
        self.assertGreater(service.counters()["ioeventfds"], 0)
        self.assertEqual(service.counters()["kicks"], 0)

    def test_rng_with_foreign_mapping(self):
        self.serve(self.backend(RngBackend).rule)
        self.assert_counts(self.guest(virtio=[rng(grants=0)]))

    def test_both_in_one_guest(self):
        clock = self.backend(I2cBackend)
        service = self.serve(clock.rule, self.backend(RngBackend).rule)
        guest = self.guest(virtio=[i2c(), rng()])
        guest.wait("test -e /sys/bus/i2c/devices/i2c-0", 30, "the bus")
        self.write_nvram(guest, 0x42)
        self.assertEqual(clock.byte(), 0x42)
        self.assert_counts(guest)
        for index in range(2):
            self.assertGreater(service.counters(index=index)["ioeventfds"], 0)

    def test_two_guests(self):
        names = ("one", "two")
        clocks = {name: self.backend(I2cBackend, name) for name in names}
        service = self.serve(*(f"guest={name},{clock.rule}" for name, clock in clocks.items()))
        guests = {name: self.guest(name) for name in names}
        for number, guest in enumerate(guests.values(), start=0x11):
            guest.wait("test -e /sys/bus/i2c/devices/i2c-0", 30, "the bus")
            self.write_nvram(guest, number)
        # Both are on the same bus of Dom0
        self.assertEqual(self.read_nvram(guests["one"]), 0x12)
        # One guest's backend is not the other's
        clocks["one"].__exit__()
        self.write_nvram(guests["two"], 0x33)
        self.assertEqual(clocks["two"].byte(), 0x33)
        self.assertEqual(set(service.carriers()), {"xen:one/0", "xen:two/0"})
