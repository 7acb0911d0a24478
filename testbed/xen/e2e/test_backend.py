# SPDX-License-Identifier: GPL-2.0-only
"""Guests of a Xen machine with vhost-device-i2c, unmodified, on Dom0's I2C bus."""

from testbed.xen.e2e.backend_case import BackendTest
from testbed.xen.e2e.test_chain import NVRAM, RTC, i2c
from testbed.xen.guest import Guest


class Backend(BackendTest):
    """Requests go from the guest's ring straight to the backend."""

    def test_clock_is_the_one_on_dom0s_bus(self):
        self.serve()
        guest = self.guest()
        self.write_nvram(guest, 0xa5)
        self.assertEqual(self.bus_byte(), 0xa5)
        self.dom0.run(f"i2cset -fy {self.backend.bus} {RTC} {NVRAM} 0x5c")
        self.assertEqual(self.read_nvram(guest), 0x5c)

    def test_each_kick_is_taken_by_the_kernel_once(self):
        service = self.serve()
        guest = self.guest()
        self.read_nvram(guest)
        before = service.counters()
        for _ in range(20):
            self.read_nvram(guest)
        after = service.counters()
        self.assertEqual(after["ioeventfds"] - before["ioeventfds"], 20)
        self.assertEqual(after["kicks"], before["kicks"])
        self.assertEqual(after["interrupts"], before["interrupts"])
        self.assertEqual(after["traps"]["total"], before["traps"]["total"])

    def test_without_ioeventfd_and_irqfd(self):
        service = self.serve(",ioeventfd=off,irqfd=off")
        guest = self.guest()
        self.read_nvram(guest)
        before = service.counters()
        for _ in range(20):
            self.read_nvram(guest)
        after = service.counters()
        self.assertEqual(after["ioeventfds"], 0)
        self.assertEqual(after["kicks"] - before["kicks"], 20)
        self.assertEqual(after["interrupts"] - before["interrupts"], 20)

    def test_foreign_mapping(self):
        self.serve()
        guest = self.guest(virtio=[i2c(grants=0)])
        self.write_nvram(guest, 0x3d)
        self.assertEqual(self.bus_byte(), 0x3d)

    def test_backend_that_comes_late(self):
        self.backend.__exit__()
        self.serve()
        guest = Guest(self.dom0).start()
        self.assertEqual(guest.run("ls /sys/bus/virtio/devices").strip(), "")
        self.backend.__enter__()
        guest.wait("test -e /sys/bus/i2c/devices/i2c-0", 30, "the arrival of the device")
        self.write_nvram(guest, 0x66)

    def test_guest_after_guest(self):
        service = self.serve()
        for value in (0x12, 0x34):
            guest = self.guest()
            self.write_nvram(guest, value)
            guest.destroy()
            self.assert_nothing_left(service)
