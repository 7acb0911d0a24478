# SPDX-License-Identifier: GPL-2.0-only
"""Guests that end while a vhost-user backend works for them leave nothing behind."""

from testbed.xen.e2e.backend_case import BackendTest
from testbed.xen.e2e.test_chain import NVRAM, RTC, i2c

WORK = f"(while :; do i2cget -y 0 {RTC} {NVRAM}; done) >/dev/null 2>&1 &"


class Life(BackendTest):
    """The guest's memory is granted."""

    grants = 1

    def busy_guest(self, service, **changes):
        """A guest that reads its clock all the time."""
        guest = self.guest(virtio=[i2c(self.grants)], **changes)
        guest.run(WORK)
        before = service.counters()["ioeventfds"]
        guest.wait_until(lambda: service.counters()["ioeventfds"] > before + 2, 30, "its reading")
        return guest

    def check_end(self, end, **changes):
        """A busy guest's end by END(guest) leaves nothing, and the next guest is served."""
        service = self.serve()
        end(self.busy_guest(service, **changes))
        self.assert_nothing_left(service)
        guest = self.guest(virtio=[i2c(self.grants)])
        self.write_nvram(guest, 0x17)
        self.assertEqual(self.bus_byte(), 0x17)

    def test_destroy(self):
        self.check_end(lambda guest: guest.destroy())

    def test_power_off(self):
        self.check_end(lambda guest: guest.type("poweroff -f"))

    def test_panic(self):
        self.check_end(lambda guest: guest.type("echo c >/proc/sysrq-trigger"),
                       on_reboot="destroy")

    def test_reboot(self):
        service = self.serve()
        guest = self.busy_guest(service)
        guest.reboot()
        guest.wait("test -e /sys/bus/i2c/devices/i2c-0", 30, "the device")
        self.dom0.wait("test $(xl list | wc -l) = 3", 30, "the former guest's end")
        self.write_nvram(guest, 0x18)
        self.assertEqual(self.bus_byte(), 0x18)
        self.assertEqual(set(service.carriers()), {"xen:domu/0"})
        guest.destroy()
        self.assert_nothing_left(service)


class LifeForeign(Life):
    """All of the guest's memory is mapped."""

    grants = 0

    def test_memory_that_is_given_back(self):
        service = self.serve()
        guest = self.guest(virtio=[i2c(0)])
        before = self.memory(guest)
        self.dom0.run("xl mem-set domu 112")
        # The balloon takes a page with each hypercall, and Xen tells virtio-msgd of each
        guest.wait_until(lambda: self.memory(guest) <= before - 16 * 1024, 60,
                         "its giving 16 MiB back")
        self.write_nvram(guest, 2)
        self.assertEqual(self.bus_byte(), 2)
        guest.destroy()
        self.assert_nothing_left(service)

    @staticmethod
    def memory(guest):
        """What the guest's kernel has, in KiB."""
        return int(guest.run("awk '/MemTotal/ { print $2 }' /proc/meminfo"))
