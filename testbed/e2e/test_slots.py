# SPDX-License-Identifier: GPL-2.0-only
"""Many devices behind one window: found, at work, added and removed."""

import json
import os
import re
from pathlib import Path

from scripts import wait
from testbed.e2e.case import GuestTest
from testbed.e2e.test_clock import ADD_CLOCK
from testbed.e2e.test_life import DRIVER

DEVICES = "/sys/bus/platform/devices/virtio-msg-mmio.0"
# Each disk is a file system of its own pattern, so that none is taken for another
KINDS = ("device=i2c", "device=rng", "device=blk,size=1048576")


STATUS_OK = 0xf
ARRIVALS = 300


def one_of_each(number):
    """The options of NUMBER devices of all built-in types."""
    return [KINDS[n % len(KINDS)] for n in range(number)]


def full_window(slots, options=""):
    """A window that has a device in each of its slots."""
    first, *others = one_of_each(slots)
    return [f"{first},slots={slots}{options}", *others]


class SlotsTest(GuestTest):
    """What the tests of many slots ask of a guest and of virtio-msgd."""

    def names(self, guest):
        """The virtio devices that the guest has."""
        return sorted(guest.check("ls /sys/bus/virtio/devices").split())

    def disks(self, guest):
        """The disks, by the order of their slots."""
        return guest.check(f"cd {DEVICES} && ls -d virtio*/block/* | sort -V").split()

    def slots(self, bed):
        """What virtio-msgd says of each slot that has a device."""
        return json.loads(bed.msgd.control("counters"))["carriers"][0]["windows"][0]["slots"]

    def check_all(self, number, options=""):
        """All devices of a full window come up, bound, and each does its own work."""
        bed = self.boot([full_window(number, options)])
        guest = bed.guest
        self.assertEqual(len(self.names(guest)), number)
        self.assertEqual(guest.check("ls -d /sys/bus/virtio/devices/*/driver | wc -l").strip(),
                         str(number))
        disks = [path.rpartition("/")[2] for path in self.disks(guest)]
        self.assertEqual(len(disks), number // 3)
        guest.check("for d in " + " ".join(disks) + "; do "
                    "for i in $(seq 512); do echo $d; done | head -c 2048 | "
                    "dd of=/dev/$d bs=512 conv=fsync 2>/dev/null; done", 60)
        guest.check("echo 3 > /proc/sys/vm/drop_caches")
        for disk in disks:
            self.assertEqual(guest.check(f"head -n 1 /dev/{disk}").strip(), disk)
        guest.check(ADD_CLOCK)
        guest.check("cat /sys/class/rtc/rtc0/time")
        guest.check("dd if=/dev/hwrng bs=64 count=4 2>/dev/null | wc -c | grep -qx 256")
        return bed

    def check_coming_and_going(self, page):
        """Others come and go beside a disk that is written, read and compared."""
        bed = self.boot([[f"slots=8,page={page}", "device=blk,index=3,size=4194304"]])
        guest = bed.guest
        guest.check("dd if=/dev/urandom of=/tmp/pattern bs=64k count=16 2>/dev/null")
        guest.begin("rm -f /tmp/stop; n=0; while [ ! -e /tmp/stop ]; do "
                    "dd if=/tmp/pattern of=/dev/vda bs=64k conv=fsync 2>/dev/null && "
                    "echo 3 > /proc/sys/vm/drop_caches && "
                    "dd if=/dev/vda bs=64k count=16 2>/dev/null | cmp - /tmp/pattern || exit 1; "
                    "n=$((n + 1)); test $n -ge 30 && touch /tmp/stop; done; echo $n")
        for n in range(20):
            slot = 4 + n % 4
            bed.msgd.control("add", f"0.{slot}", KINDS[n % 2])
            if n % 4 == 3:
                for each in range(4, 8):
                    bed.msgd.control("remove", f"0.{each}")
        self.assertGreaterEqual(int(guest.finish(60).output), 30)
        guest.wait_for(f"test $(ls -d {DEVICES}/virtio* | wc -l) = 1")
        # The next one works, and is another one than those that were there
        bed.msgd.control("add", "0", "device=rng")
        guest.wait_for("test -c /dev/hwrng")
        guest.check("dd if=/dev/hwrng bs=64 count=4 2>/dev/null | wc -c | grep -qx 256")
        self.assertEqual([(s["slot"], s["device"]) for s in self.slots(bed)],
                         [(0, "rng"), (3, "blk")])


class Slots(SlotsTest):
    def test_all_of_a_small_window(self):
        bed = self.check_all(44)
        # Every disk was kicked, each by its own register
        kicks = [slot["kicks"] for slot in self.slots(bed) if slot["device"] == "blk"]
        self.assertEqual(len(kicks), 14)
        self.assertGreater(min(kicks), 0)

    def test_all_of_a_large_window(self):
        bed = self.check_all(64)
        counters = bed.msgd.counters()
        # All of them are asked for at once
        self.assertEqual(counters["requests"]["BUS_GET_DEVICES"], 1)
        self.assertEqual(counters["requests"]["GET_DEVICE_INFO"], 64)

    def test_all_in_window_mode(self):
        self.check_all(44, ",page=off")

    def test_come_and_go_beside_one_at_work(self):
        for page in ("on", "off"):
            with self.subTest(page=page):
                self.check_coming_and_going(page)

    def held(self, bed):
        """(descriptors of the guest's process, KiB of memory that are its own)."""
        [pid] = bed.msgd.processes().values()
        memory = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        return (len(os.listdir(f"/proc/{pid}/fd")),
                int(re.search(r"(?m)^Private_Dirty:\s+(\d+)", memory)[1]))

    def arrive(self, bed, slot):
        """Put a device into a slot, and see its driver at work with it."""
        def at_work():
            return any(each["slot"] == slot and each["status"] == STATUS_OK
                       for each in bed.msgd.ask("list")["carriers"][0]["windows"][0]["slots"])

        bed.msgd.ask("add", f"0.{slot}", device="rng")
        self.assertTrue(wait.until(at_work, 10, 0.001), f"slot {slot}: no driver came")

    def test_arrivals_leave_nothing_behind(self):
        bed = self.boot([["slots=8", "device=blk,size=1048576"]])
        guest = bed.guest
        slabs = "awk '/^SUnreclaim:/ { print $2 }' /proc/meminfo"
        for n in range(50):
            self.arrive(bed, 1 + n % 7)
            bed.msgd.ask("remove", f"0.{1 + n % 7}")
        guest.wait_for(f"test $(ls -d {DEVICES}/virtio* | wc -l) = 1")
        before, slab = self.held(bed), int(guest.check(slabs))
        guest.check("(n=0; while [ ! -e /tmp/stop ] && dd if=/dev/vda of=/dev/null bs=4k count=16 "
                    "iflag=direct; do n=$((n + 1)); done; echo $n >/tmp/reads) >/dev/null 2>&1 &")
        for n in range(ARRIVALS):
            self.arrive(bed, 1 + n % 7)
            bed.msgd.ask("remove", f"0.{1 + n % 7}")
        self.assertGreater(int(guest.check("test ! -e /tmp/reads && touch /tmp/stop && "
                                           "until cat /tmp/reads 2>/dev/null; do usleep 1000; done")),
                           ARRIVALS // 10)
        guest.wait_for(f"test $(ls -d {DEVICES}/virtio* | wc -l) = 1")
        after = self.held(bed)
        self.assertEqual(after[0], before[0])
        # Less than a page for a hundred
        self.assertLess(after[1] - before[1], 4 * ARRIVALS / 100)
        # A device that is not freed is more than a KiB
        self.assertLess(int(guest.check(slabs)) - slab, ARRIVALS / 2)

    def test_bus_unbound_and_bound(self):
        bed = self.boot([full_window(8)])
        guest = bed.guest
        guest.check(f"for n in $(seq 10); do echo virtio-msg-mmio.0 > {DRIVER}/unbind; "
                    f"echo virtio-msg-mmio.0 > {DRIVER}/bind; done", 60)
        self.assertEqual(len(self.names(guest)), 8)
        guest.check("dd if=/dev/hwrng bs=64 count=4 2>/dev/null | wc -c | grep -qx 256")

    def test_one_unbound_and_bound_beside_its_neighbours(self):
        bed = self.boot([["device=blk,size=1048576,slots=3", "device=rng", "device=rng"]])
        guest = bed.guest
        guest.begin("for n in $(seq 200); do dd if=/dev/vda of=/dev/null bs=4k count=16 "
                    "iflag=direct 2>/dev/null || exit 1; done; echo done")
        other = bed.msgd.control
        for _ in range(20):
            other("config-change", "0.1")
        self.assertEqual(guest.finish(60).output.strip(), "done")
        guest.check("cd /sys/bus/virtio/drivers/virtio_rng; for n in $(seq 20); do "
                    "echo virtio1 > unbind; echo virtio1 > bind; done", 60)
        guest.check("dd if=/dev/hwrng bs=64 count=4 2>/dev/null | wc -c | grep -qx 256")

    def test_broken_one_beside_its_neighbours(self):
        bed = self.boot([["device=blk,size=1048576,slots=2", "device=blk,size=1048576"]])
        guest = bed.guest
        guest.begin("for n in $(seq 200); do dd if=/dev/vda of=/dev/null bs=4k count=16 "
                    "iflag=direct 2>/dev/null || exit 1; done; echo done")
        bed.msgd.control("break", "0.1")
        self.assertEqual(guest.finish(60).output.strip(), "done")
        self.assert_logged_once(guest, "virtio1", "device needs a reset")
        self.assertNotEqual(guest.run("dd if=/dev/vdb of=/dev/null bs=4k count=1 iflag=direct",
                                      30).status, 0)

    def test_suspend_with_devices_that_change_meanwhile(self):
        bed = self.boot([["device=rng,slots=4", "device=blk,size=1048576", "device=i2c"]])
        guest = bed.guest
        guest.check("echo freeze > /sys/power/pm_test 2>/dev/null; true")
        guest.begin("echo devices > /sys/power/pm_test && echo freeze > /sys/power/state; echo $?")
        bed.msgd.control("remove", "0.2")
        bed.msgd.control("add", "0.3", "device=rng")
        self.assertEqual(guest.finish(60).output.strip(), "0")
        guest.wait_for(f"test $(ls -d {DEVICES}/virtio* | wc -l) = 3")
        guest.check("dd if=/dev/vda of=/dev/null bs=4k count=16 iflag=direct")


class SlotsLts(SlotsTest):
    base = "lts"

    def test_all_of_a_large_window(self):
        self.check_all(64)

    def test_come_and_go_beside_one_at_work(self):
        self.check_coming_and_going("on")
