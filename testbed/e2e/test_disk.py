# SPDX-License-Identifier: GPL-2.0-only
"""A disk: its data, and its config space, which changes while it is in use."""

from testbed.e2e.case import GuestTest

MODES = ("page=on", "page=off", "page=on,strict=on", "page=off,msg-size=52", "page=on,msg-size=52")
MIB = 1 << 20


class Disk(GuestTest):
    def boot_disks(self, options=MODES):
        """A guest with a disk, vda and so on, for each of OPTIONS."""
        bed = self.boot([f"device=blk,{option}" for option in options])
        return bed, list(enumerate(options))

    def sectors(self, guest, disk):
        """What the guest takes the disk's size for."""
        return int(guest.check(f"cat /sys/block/{disk}/size"))

    def test_file_system(self):
        bed, disks = self.boot_disks()
        for number, options in disks:
            with self.subTest(options):
                disk = "vd" + "abcdefgh"[number]
                bed.guest.check(f"""set -e
                    mke2fs -q /dev/{disk}
                    mount -t ext4 /dev/{disk} /mnt
                    dd if=/dev/urandom of=/mnt/file bs=64k count=64 2>/dev/null
                    sha256sum < /mnt/file > /tmp/before
                    umount /mnt
                    mount -t ext4 /dev/{disk} /mnt
                    sha256sum < /mnt/file > /tmp/after
                    umount /mnt
                    cmp /tmp/before /tmp/after""")

    def test_resize_is_seen_each_time(self):
        bed, disks = self.boot_disks()
        for number, options in disks:
            disk = "vd" + "abcdefgh"[number]
            self.assertEqual(self.sectors(bed.guest, disk), 16 * MIB // 512)
            for size in (20 * MIB, 12 * MIB, 40 * MIB):
                with self.subTest(options, size=size):
                    bed.msgd.control("set", str(number), f"size={size}")
                    bed.guest.wait_for(f"test $(cat /sys/block/{disk}/size) = {size // 512}")
            # What was not there before can be used
            bed.guest.check(f"dd if=/dev/{disk} of=/dev/null bs=1M skip=39 count=1")

    def test_config_that_the_driver_writes(self):
        bed, disks = self.boot_disks()
        for number, options in disks:
            path = f"/sys/block/vd{'abcdefgh'[number]}/cache_type"
            for mode in ("write through", "write back", "write through"):
                with self.subTest(options, mode=mode):
                    bed.guest.check(f"echo {mode} > {path}")
                    self.assertEqual(bed.guest.check(f"cat {path}").strip(), mode)

    def test_what_config_costs_in_page_mode(self):
        bed, _ = self.boot_disks(["page=on"])
        read = "for i in $(seq 10); do cat /sys/block/vda/cache_type; done"
        bed.msgd.control("counters-reset")
        bed.guest.check(read)
        self.assertEqual(bed.msgd.counters()["traps"]["total"], 0)
        # A change makes the driver look at one field, and that brings all of them
        bed.msgd.control("set", "0", f"size={24 * MIB}")
        bed.guest.wait_for(f"test $(cat /sys/block/vda/size) = {24 * MIB // 512}")
        bed.guest.check(read)
        counters = bed.msgd.counters()
        self.assertEqual(counters["requests"], {"GET_CONFIG": 1})
        self.assertEqual(counters["traps"]["total"], 1)
        # The driver's own write makes what was read old
        bed.msgd.control("counters-reset")
        bed.guest.check("echo write through > /sys/block/vda/cache_type")
        self.assertEqual(bed.guest.check(read).splitlines(), ["write through"] * 10)
        self.assertEqual(bed.msgd.counters()["requests"], {"SET_CONFIG": 1, "GET_CONFIG": 1})


class DiskLts(Disk):
    base = "lts"
