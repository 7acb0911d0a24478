# SPDX-License-Identifier: GPL-2.0-only
"""Guests of a Xen machine with virtio-msgd in Dom0: its built-in devices, its life."""

import unittest

from testbed.xen import e2e
from testbed.xen.guest import Guest
from testbed.xen.machine import Failed
from testbed.xen.service import Service

I2C = "type=virtio,device22, transport=mmio, grant_usage={grants}"
RNG = "type=virtio,device4, transport=mmio, grant_usage={grants}"
RTC = "0x68"
NVRAM = "0x10"
LOGS = "/var/log/virtio-msgd.log /var/log/vhost-device-*.log /var/log/xen/console/guest-*.log"
# What Dom0 has to say when a test failed
TELL = (f"for log in {LOGS}; do test -s $log && echo \"--- $log\" && tail -n 15 $log; done; "
        "echo '--- dmesg of Dom0'; dmesg | tail -n 10; xl list")


def i2c(grants=1):
    """A guest's I2C device, as in domu.conf."""
    return I2C.format(grants=grants)


def rng(grants=1):
    """A guest's source of random numbers."""
    return RNG.format(grants=grants)


class ChainTest(unittest.TestCase):
    """One machine for all; nothing may be left of one test for the next."""

    cpus = 1

    def setUp(self):
        self.dom0 = e2e.machine(self.cpus)
        self.service = Service(self.dom0)
        self.addCleanup(self.clean_up)

    def clean_up(self):
        """End everything, and see that nothing is left."""
        # Without the records of its devices, a guest's end does not wait for their backend
        self.dom0.run(f"killall virtio-msgd; sleep 0.3; rm -f {LOGS}; "
                      "xenstore-rm /local/domain/0/backend/virtio", check=False)
        for name in self.dom0.run("xl list | awk 'NR > 2 { print $1 }'").split():
            self.dom0.run(f"xl destroy {name}", 60, check=False)
        try:
            # One whose memory is still being let go of is (null) for a moment
            self.dom0.wait("xl list; test $(xl list | wc -l) = 2", 30, "the end of all guests")
        except Failed:
            e2e.discard(self.cpus)
            raise

    def logs(self):
        """The ends of the logs, for the report of a failure."""
        try:
            return self.dom0.run(TELL, check=False)[0].replace("\r", "")
        except Failed as problem:
            return f"no logs: {problem}"

    def guest(self, name="domu", **changes):
        """A running guest."""
        return Guest(self.dom0, name, **changes).start()

    def write_nvram(self, guest, value):
        """Write a byte of the clock's NVRAM and read it back."""
        guest.run(f"i2cset -y 0 {RTC} {NVRAM} {value:#x}")
        self.assertEqual(self.read_nvram(guest), value)

    def read_nvram(self, guest):
        """A byte of the clock's NVRAM."""
        return int(guest.run(f"i2cget -y 0 {RTC} {NVRAM}"), 16)

    def assert_nothing_left(self, service=None):
        """No domain, no window, no note of one. Xen keeps a domain, as (null), as long as one
        page of it is mapped somewhere."""
        self.dom0.wait("test $(xl list | wc -l) = 2", 30, "the guest's end")
        self.assertEqual((service or self.service).carriers(), {})
        self.assertEqual(self.dom0.run("xenstore-list virtio-msgd 2>/dev/null || true").strip(), "")


class Devices(ChainTest):
    def test_clock(self):
        with self.service:
            guest = self.guest()
            guest.run(f"echo ds1338 {RTC} >/sys/bus/i2c/devices/i2c-0/new_device")
            guest.wait("test -e /dev/rtc0", 30, "/dev/rtc0")
            guest.run("date -us '2031-02-03 04:05:06' && hwclock -wu")
            self.assertRegex(guest.run("hwclock -ru"), "Feb +3 04:05:.* 2031")
            # The clock's own registers: month and year, in BCD
            self.assertEqual(int(guest.run(f"i2cget -fy 0 {RTC} 5"), 16), 0x02)
            self.assertEqual(int(guest.run(f"i2cget -fy 0 {RTC} 6"), 16), 0x31)

    def test_process_without_root(self):
        self.dom0.run("grep -qs ^nobody: /etc/passwd || "
                      "echo nobody:x:65534:65534::/:/bin/false >>/etc/passwd")
        with Service(self.dom0, options="--sandbox user=nobody") as service:
            guest = self.guest()
            self.write_nvram(guest, 5)
            [pid] = service.guest_pids()
            self.assertRegex(self.dom0.run(f"cat /proc/{pid}/status"),
                             r"(?m)^Uid:\s65534\s65534\s65534\s65534$")
            # What it noted is there for the next one
            service.kill_guests()
            self.write_nvram(guest, 6)
            guest.destroy()
            self.assert_nothing_left(service)

    def test_each_request_is_one_kick_and_one_interrupt(self):
        with self.service:
            guest = self.guest()
            self.read_nvram(guest)
            before = self.service.counters()
            for _ in range(10):
                self.read_nvram(guest)
            after = self.service.counters()
            self.assertEqual(after["kicks"] - before["kicks"], 10)
            self.assertEqual(after["interrupts"] - before["interrupts"], 10)
            self.assertEqual(after["requests"], before["requests"])
            # An outgoing and an incoming message of two descriptors and three
            self.assertGreater(after["grants"], before["grants"])

    def test_foreign_mapping(self):
        with self.service:
            guest = self.guest(virtio=[i2c(grants=0)])
            self.write_nvram(guest, 0x5a)
            self.assertEqual(self.service.counters()["grants"], 0)
            self.assertIn("all of the guest's RAM mapped", self.service.log())

    def test_two_devices(self):
        with self.service:
            guest = self.guest(virtio=[i2c(), rng()])
            self.write_nvram(guest, 0x42)
            self.assertEqual(guest.run("cat /sys/class/misc/hw_random/rng_current").strip(),
                             "virtio_rng.0")
            guest.run("dd if=/dev/hwrng of=/dev/null bs=64 count=8")
            self.assertEqual(set(self.service.carriers()), {"xen:domu/0", "xen:domu/1"})
            self.assertGreater(self.service.counters(index=1)["kicks"], 0)

    def test_two_guests(self):
        with self.service:
            one, two = self.guest("one"), self.guest("two")
            self.write_nvram(one, 0x11)
            self.write_nvram(two, 0x22)
            self.assertEqual(self.read_nvram(one), 0x11)
            self.assertEqual(set(self.service.carriers()), {"xen:one/0", "xen:two/0"})

    def test_empty_until_the_device_comes(self):
        service = Service(self.dom0, rules=("entry=device4,device=rng",))
        with service:
            guest = self.guest()
            self.assertEqual(guest.run("ls /sys/bus/virtio/devices").strip(), "")
            service.control("add", "xen:domu/0/0", "device=i2c")
            guest.wait("test -e /sys/bus/i2c/devices/i2c-0", 30, "the arrival of the device")
            self.write_nvram(guest, 0x77)
            service.control("remove", "xen:domu/0/0")
            guest.wait("! test -e /sys/bus/i2c/devices/i2c-0", 30, "the device's leaving")

    def test_plain_virtio_mmio(self):
        with Service(self.dom0, rules=("device=i2c,personality=mmio",)):
            guest = self.guest()
            self.assertIn("virtio-mmio", guest.run("readlink /sys/bus/virtio/devices/virtio0/../driver"))
            self.write_nvram(guest, 0x99)


class Life(ChainTest):
    def test_destroy_leaves_nothing(self):
        with self.service:
            guest = self.guest()
            self.write_nvram(guest, 1)
            guest.destroy()
            self.assert_nothing_left()

    def test_power_off_leaves_nothing(self):
        with self.service:
            guest = self.guest()
            guest.type("poweroff -f")
            self.dom0.wait("! xl domid domu 2>/dev/null", 30, "the guest's end")
            self.assert_nothing_left()

    def test_reboot(self):
        with self.service:
            guest = self.guest()
            self.write_nvram(guest, 2)
            guest.reboot()
            self.write_nvram(guest, 3)
            self.assertEqual(set(self.service.carriers()), {"xen:domu/0"})
            guest.destroy()
            self.assert_nothing_left()

    def test_panic(self):
        with self.service:
            guest = self.guest(on_reboot="destroy")
            guest.type("echo c >/proc/sysrq-trigger")
            self.dom0.wait("! xl domid domu 2>/dev/null", 30, "the guest's end")
            self.assert_nothing_left()

    def check_restart(self, signal):
        """The guest goes on with the next virtio-msgd."""
        self.service.start()
        guest = self.guest()
        self.write_nvram(guest, 4)
        self.service.stop(signal)
        self.service.start()
        self.addCleanup(self.service.stop)
        self.assertIn("adopted", self.service.log())
        self.assertIn("goes on", self.service.log())
        # The clock is another one, the driver is not
        self.write_nvram(guest, 5)
        self.assertEqual(guest.run("cat /sys/bus/virtio/devices/virtio0/status").strip(),
                         "0x0000000f")

    def test_stopped_and_started(self):
        self.check_restart("TERM")

    def test_killed_and_started(self):
        self.check_restart("KILL")

    def test_guest_waits_while_there_is_no_virtio_msgd(self):
        self.service.start()
        guest = self.guest()
        self.service.stop()
        guest.type(f"i2cset -y 0 {RTC} {NVRAM} 0x3c; echo done")
        self.service.start()
        self.addCleanup(self.service.stop)
        self.dom0.wait(f"grep -q ^done {guest.console}", 30, "the guest's going on")
        self.assertEqual(self.read_nvram(guest), 0x3c)


if __name__ == "__main__":
    unittest.main()
