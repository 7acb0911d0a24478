# SPDX-License-Identifier: GPL-2.0-only
"""Devices that come and go, drivers that are unbound, suspend, restart: with I/O going on."""

import json

from testbed import bed, fake_window, mmio_sock
from testbed.e2e.case import GuestTest
from testbed.e2e.test_clock import ADD_CLOCK

DRIVER = "/sys/bus/platform/drivers/virtio-msg-mmio"
READ_RNG = "dd if=/dev/hwrng bs=64 count=4 2>/dev/null | wc -c | grep -qx 256"
# Reads in the background until told to stop; failures are part of the game
KEEP_READING = ("rm -f /tmp/stop; (while [ ! -e /tmp/stop ]; do dd if=/dev/hwrng of=/dev/null "
                "bs=64 count=8; done) >/dev/null 2>&1 &")
STOP_READING = "touch /tmp/stop; wait"


class Rng(GuestTest):
    def test_reads_are_random_and_exact(self):
        bed_ = self.boot(["device=rng"])
        guest = bed_.guest
        guest.check("dd if=/dev/hwrng of=/tmp/1 bs=4096 count=16 iflag=fullblock")
        guest.check("dd if=/dev/hwrng of=/tmp/2 bs=4096 count=16 iflag=fullblock")
        self.assertEqual(guest.check("wc -c < /tmp/1").strip(), "65536")
        self.assertNotEqual(guest.run("cmp -s /tmp/1 /tmp/2").status, 0)
        # Random bytes do not compress
        self.assertGreater(int(guest.check("gzip -c /tmp/1 | wc -c")), 65000)

    def test_three_devices_under_load(self):
        guest = self.boot(["device=rng", "device=i2c", "device=rng,page=off"]).guest
        guest.check(ADD_CLOCK)
        guest.begin(f"{KEEP_READING} for n in $(seq 200); do cat /sys/class/rtc/rtc0/time; done "
                    f"| sort -u | wc -l; {STOP_READING}")
        self.assertGreater(int(guest.finish(60).output), 0)


class Binding(GuestTest):
    def test_unbind_and_bind_the_device_driver(self):
        guest = self.boot(["device=rng"]).guest
        guest.check(f"{KEEP_READING} cd /sys/bus/virtio/drivers/virtio_rng; "
                    "for n in $(seq 20); do echo virtio0 > unbind; echo virtio0 > bind; done; "
                    f"{STOP_READING}", 60)
        guest.check(READ_RNG)

    def test_unbind_and_bind_the_bus(self):
        guest = self.boot(["device=rng"]).guest
        guest.check(f"{KEEP_READING} cd {DRIVER}; for n in $(seq 20); do "
                    "echo virtio-msg-mmio.0 > unbind; echo virtio-msg-mmio.0 > bind; done; "
                    f"{STOP_READING}", 60)
        guest.check(READ_RNG)

    def test_bus_without_its_driver_leaves_nothing_behind(self):
        bed_ = self.boot(["device=i2c"])
        guest = bed_.guest
        guest.check(ADD_CLOCK)
        guest.check(f"echo virtio-msg-mmio.0 > {DRIVER}/unbind")
        self.assertEqual(guest.check("ls /sys/bus/virtio/devices /sys/class/rtc"),
                         "/sys/bus/virtio/devices:\n\n/sys/class/rtc:\n")
        [window] = json.loads(bed_.msgd.control("list"))["carriers"][0]["windows"]
        # Reset, and acknowledged again by the virtio core for whichever driver comes next
        self.assertEqual(window["status"], 1)


class HotPlug(GuestTest):
    def test_empty_slot_fills_empties_and_fills_again(self):
        for page in ("on", "off"):
            with self.subTest(page=page):
                bed_ = self.boot([f"page={page}"])
                guest = bed_.guest
                self.assertEqual(guest.check("ls /sys/bus/virtio/devices"), "")
                guest.check(f"test -e {DRIVER}/virtio-msg-mmio.0")
                for kind, present in (("rng", "test -c /dev/hwrng"),
                                      ("i2c", "test -c /dev/i2c-0"),
                                      ("rng", READ_RNG)):
                    bed_.msgd.control("add", "0", f"device={kind}")
                    guest.wait_for("ls /sys/bus/virtio/devices | grep -q .")
                    guest.wait_for(present)
                    bed_.msgd.control("remove", "0")
                    guest.wait_for("! ls /sys/bus/virtio/devices | grep -q .")
                guest.kill()

    def test_leaves_while_it_works(self):
        bed_ = self.boot(["device=rng"])
        bed_.guest.check(KEEP_READING)
        for _ in range(5):
            bed_.msgd.control("remove", "0")
            bed_.guest.wait_for("! ls /sys/bus/virtio/devices | grep -q .")
            bed_.msgd.control("add", "0", "device=rng")
            bed_.guest.wait_for("ls /sys/bus/virtio/drivers/virtio_rng | grep -q virtio")
        bed_.guest.check(STOP_READING)
        bed_.guest.wait_for(READ_RNG)


class NeedsReset(GuestTest):
    def test_broken_device_is_usable_after_rebinding(self):
        for page in ("on", "off"):
            with self.subTest(page=page):
                bed_ = self.boot([f"device=rng,page={page}"])
                guest = bed_.guest
                guest.check(READ_RNG)
                bed_.msgd.control("break", "0")
                guest.wait_for("test $(($(cat /sys/bus/virtio/devices/virtio0/status) & 64)) -eq 64")
                guest.check("cd /sys/bus/virtio/drivers/virtio_rng; "
                            "echo virtio0 > unbind; echo virtio0 > bind")
                guest.check(READ_RNG)
                guest.kill()


class Power(GuestTest):
    """The kernel's own suspend tests; UML cannot hibernate."""

    def suspend(self, guest, level, state="freeze"):
        guest.check("echo 0 > /sys/module/suspend/parameters/pm_test_delay")
        guest.check(f"echo {level} > /sys/power/pm_test; echo {state} > /sys/power/state", 60)

    def test_suspend_with_io_going_on(self):
        for page in ("on", "off"):
            with self.subTest(page=page):
                guest = self.boot([f"device=rng,page={page}", "device=i2c"]).guest
                guest.check(ADD_CLOCK)
                guest.check(KEEP_READING)
                for level in ("freezer", "devices", "platform", "devices"):
                    self.suspend(guest, level)
                guest.check(STOP_READING)
                guest.check(READ_RNG)
                guest.check("cat /sys/class/rtc/rtc0/time")
                guest.kill()

    def test_empty_slot_sleeps_and_fills_afterwards(self):
        bed_ = self.boot(["page=on"])
        self.suspend(bed_.guest, "devices")
        bed_.msgd.control("add", "0", "device=rng")
        bed_.guest.wait_for(READ_RNG)


class Restart(GuestTest):
    def test_reboot(self):
        bed_ = self.boot(["device=rng", "device=i2c"])
        for _ in range(3):
            bed_.guest.check(READ_RNG)
            bed_.guest.reboot()
        bed_.guest.check(READ_RNG)

    def test_crash_and_next_guest(self):
        bed_ = self.boot(["device=rng"])
        bed_.guest.check(KEEP_READING)
        bed_.guest.kill()
        bed_.guest.start()
        bed_.guest.check(READ_RNG)

    def test_a_page_left_on_by_an_earlier_kernel_is_switched_off_first(self):
        """In window mode too, the first thing written is Page."""
        _, server = self.boot_with(fake_window.Fake())
        writes = [access[1:] for access in server.accesses if access[0] == mmio_sock.WRITE]
        self.assertEqual(writes[0], (8, fake_window.PAGE, 0))


class SideBySide(GuestTest):
    def test_stock_virtio_mmio_next_to_virtio_msg(self):
        guest = self.boot(["device=rng", "device=i2c,personality=mmio"]).guest
        guest.check(READ_RNG)
        guest.check(ADD_CLOCK)
        guest.check("hwclock -r --utc")
        for device, driver in (("virtio-msg-mmio.0", "virtio-msg-mmio"),
                               ("virtio-mmio.0", "virtio-mmio")):
            link = guest.check(f"readlink /sys/bus/platform/devices/{device}/driver").strip()
            self.assertEqual(link.rpartition("/")[2], driver)

    def test_two_regions(self):
        guest, server = self.boot_with(fake_window.Fake())
        second = fake_window.Fake()
        guest.kill()
        path = guest.directory / "second.sock"
        with mmio_sock.Server(path, second) as other:
            guest.params += [f"mmio_sock.region=512@{bed.BASE + (1 << 30):#x}:40:{path}",
                             f"virtio_msg_mmio.device=512@{bed.BASE + (1 << 30):#x}:40"]
            guest.start()
            for number in (0, 1):
                guest.check(f"echo virtio_rng.{number} > /sys/class/misc/hw_random/rng_current")
                guest.check(READ_RNG)
            guest.kill()
            self.assertEqual((server.connections, other.connections), (2, 1))


class CoreLts(Rng):
    base = "lts"


class LifeLts(HotPlug):
    base = "lts"
