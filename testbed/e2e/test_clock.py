# SPDX-License-Identifier: GPL-2.0-only
"""The main thing: a DS1338 behind i2c-virtio on virtio-msg."""

import time

from testbed.e2e.case import GuestTest

ADD_CLOCK = "echo ds1338 0x68 > /sys/bus/i2c/devices/i2c-0/new_device"
NVRAM = "/sys/bus/nvmem/devices/ds1307_nvram0/nvmem"


class Clock(GuestTest):
    def boot_with_clock(self, *more, options=""):
        """A guest with an I2C adapter in window 0 and rtc-ds1307 bound to the clock."""
        bed = self.boot([f"device=i2c{options}", *more])
        bed.guest.check(ADD_CLOCK)
        bed.guest.wait_for("test -e /dev/rtc0")
        return bed

    def test_the_chain_of_drivers(self):
        guest = self.boot_with_clock().guest
        self.assertEqual(guest.check("readlink -f /sys/class/rtc/rtc0").strip(),
                         "/sys/devices/virtio-msg-mmio-cmdline/virtio-msg-mmio.0/virtio0/"
                         "i2c-0/0-0068/rtc/rtc0")
        for device, driver in (("i2c/devices/0-0068", "rtc-ds1307"),
                               ("virtio/devices/virtio0", "i2c_virtio"),
                               ("platform/devices/virtio-msg-mmio.0", "virtio-msg-mmio")):
            link = guest.check(f"readlink /sys/bus/{device}/driver").strip()
            self.assertEqual(link.rpartition("/")[2], driver)

    def test_reads_the_host_time(self):
        guest = self.boot_with_clock().guest
        seconds = int(guest.check("cat /sys/class/rtc/rtc0/since_epoch"))
        self.assertLess(abs(seconds - time.time()), 5)

    def test_set_read_back_and_ticks(self):
        guest = self.boot_with_clock().guest
        guest.check("hwclock --set --utc --date '2033-12-31 23:59:58'")
        first = int(guest.check("cat /sys/class/rtc/rtc0/since_epoch"))
        self.assertIn(first - 2019686398, range(5))
        guest.wait_for(f"test $(cat /sys/class/rtc/rtc0/since_epoch) -ge {first + 2}")
        self.assertIn("2034", guest.check("hwclock -r --utc"))

    def test_nvram_keeps_what_is_written(self):
        guest = self.boot_with_clock().guest
        guest.check(f"dd if=/dev/urandom of=/tmp/in bs=1 count=56; cat /tmp/in > {NVRAM}")
        guest.check(f"cat {NVRAM} > /tmp/out; cmp /tmp/in /tmp/out")
        self.assertEqual(guest.check("stat -c %s /tmp/out").strip(), "56")

    def test_i2c_tools(self):
        guest = self.boot_with_clock().guest
        guest.check("hwclock --set --utc --date '2031-02-03 04:05:06'")
        self.assertEqual(guest.check("i2cget -f -y 0 0x68 6").strip(), "0x31")
        self.assertEqual(guest.check("i2cget -f -y 0 0x68 5").strip(), "0x02")
        found = guest.check("i2cdetect -y -r 0")
        self.assertEqual([word for line in found.splitlines()[1:] for word in line.split()[1:]
                          if word != "--"], ["UU"])
        self.assertNotEqual(guest.run("i2cget -y 0 0x50 0").status, 0)

    def test_smallest_messages(self):
        guest = self.boot_with_clock(options=",msg-size=52").guest
        guest.check("hwclock -r --utc")

    def test_window_and_page_mode_are_both_used(self):
        for option, register in ((",page=on", "Doorbell"), (",page=off", "Window")):
            with self.subTest(option=option):
                bed = self.boot_with_clock(options=option)
                self.assertIn(register, bed.msgd.counters()["traps"]["write"])
                bed.guest.kill()


class ClockLts(Clock):
    base = "lts"
