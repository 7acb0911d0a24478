# SPDX-License-Identifier: GPL-2.0-only
"""A disk by qemu-storage-daemon: real file system work, and the daemon's death."""

import os
import signal
import subprocess

from scripts import debian, wait
from testbed import backends
from testbed.e2e.backend_case import READ_RNG, BackendTest

# With all its inodes: otherwise the kernel writes them later, whenever it likes
FILE_SYSTEM = "mkfs.ext4 -q -E lazy_itable_init=0 /dev/vda && mount -t ext4 /dev/vda /mnt"
VERIFIED = ("fio --name=verify --size=24M --bs=4k --rw=randwrite --ioengine=libaio --iodepth=32 "
            "--direct=1 --verify=crc32c --verify_fatal=1 --randseed=1 --end_fsync=1")
CACHE = "/sys/block/vda/cache_type"
FIO = f"{VERIFIED} --filename=/mnt/file"


class DiskTest(BackendTest):
    """With a disk of 128 MiB."""

    queues = 1

    def setUp(self):
        super().setUp()
        self.disk = self.backend("qemu-storage-daemon", backends.blk, 128 << 20, self.queues)

    def assert_clean(self):
        """The file system in the image is as it should be."""
        debian.install(["e2fsprogs"])
        check = subprocess.run(["/sbin/e2fsck", "-fn", self.disk.image], capture_output=True,
                               text=True, check=False)
        self.assertEqual(check.returncode, 0, check.stdout)


class Disk(DiskTest):
    def test_verified_io(self):
        guest = self.boot_backends(self.disk).guest
        self.assertEqual(guest.check("cat /sys/block/vda/size").strip(), str((128 << 20) >> 9))
        guest.check(FILE_SYSTEM, 60)
        guest.check(FIO, 120)
        # Again from the disk: nothing is in the page cache after a mount
        guest.check("umount /mnt && mount -t ext4 /dev/vda /mnt")
        guest.check(f"{FIO} --verify_only", 120)
        guest.check("umount /mnt")
        self.assert_clean()

    def test_discard_gives_blocks_back(self):
        guest = self.boot_backends(self.disk).guest
        guest.check("dd if=/dev/urandom of=/dev/vda bs=1M count=16 oflag=direct", 60)
        full = os.stat(self.disk.image).st_blocks * 512
        self.assertGreaterEqual(full, 16 << 20)
        guest.check("blkdiscard -o 4194304 -l 8388608 /dev/vda")
        self.assertLessEqual(os.stat(self.disk.image).st_blocks * 512, full - (8 << 20))
        data = self.disk.image.read_bytes()
        self.assertEqual(data[4 << 20:12 << 20], bytes(8 << 20))
        self.assertNotEqual(data[:4 << 20], bytes(4 << 20))

    def test_backend_with_four_queues(self):
        """The guest, which has one CPU, uses one; a backend of several serves that as well."""
        self.disk.kill()
        four = self.backend("qemu-storage-daemon", backends.blk, 128 << 20, 4)
        guest = self.boot_backends(four).guest
        self.assert_logged_once(guest, "virtio0: 1/0/0 default/read/poll queues")
        guest.check(f"{FILE_SYSTEM} && umount /mnt", 60)
        self.assert_clean()

    def test_resize_while_mounted(self):
        bed = self.boot_backends(self.disk)
        guest = bed.guest
        guest.check(FILE_SYSTEM, 60)
        self.disk.resize(192 << 20)
        guest.wait_for(f"test $(cat /sys/block/vda/size) -eq {(192 << 20) >> 9}")
        self.assert_logged_once(guest, "[vda]", "new size")
        guest.check("echo still here > /mnt/file && umount /mnt && resize2fs /dev/vda && "
                    "mount -t ext4 /dev/vda /mnt && grep here /mnt/file && "
                    "dd if=/dev/zero of=/mnt/big bs=1M count=140 && umount /mnt", 60)
        self.assert_clean()

    def test_restarted_while_idle(self):
        bed = self.boot_backends(self.disk)
        guest = bed.guest
        guest.check(f"{FILE_SYSTEM} && echo before > /mnt/file && sync", 60)
        for _ in range(3):
            self.disk.kill()
            self.disk.start()
            guest.check("echo after >> /mnt/file && sync", 60)
        self.assertEqual(bed.msgd.log().count("goes on where it was"), 3)
        self.assertEqual(guest.check("umount /mnt && mount /dev/vda /mnt && cat /mnt/file && "
                                     "umount /mnt"), "before\nafter\nafter\nafter\n")
        self.assertEqual(self.device_status(guest), 0xf)
        self.assert_clean()

    def test_cache_mode_outlives_the_backend(self):
        bed = self.boot_backends(self.disk)
        guest = bed.guest
        modes = ["write back", "write through"]
        modes.remove(guest.check(f"cat {CACHE}").strip())
        guest.check(f"echo {modes[0]} > {CACHE}")
        for _ in range(2):
            self.disk.kill()
            self.disk.start()
            guest.check("dd if=/dev/vda of=/dev/null bs=4k count=1 iflag=direct")
            self.assertEqual(guest.check(f"cat {CACHE}").strip(), modes[0])
        self.assertEqual(bed.msgd.log().count("goes on where it was"), 2)

    def test_killed_during_io(self):
        """Without a record of what was in flight the guest is told, and new requests fail."""
        bed = self.boot_backends(self.disk, "device=rng")
        guest = bed.guest
        guest.check("fio --name=load --filename=/dev/vda --size=64M --bs=4k --rw=randread "
                    "--ioengine=libaio --iodepth=32 --direct=1 --time_based --runtime=60 "
                    ">/dev/null 2>&1 &")
        enough = bed.msgd.counters()["kicks"] + 100
        self.assertTrue(wait.until(lambda: bed.msgd.counters()["kicks"] >= enough, 20),
                        "fio does nothing")
        self.disk.kill()
        self.wait_needs_reset(guest)
        result = guest.run("dd if=/dev/vda of=/dev/null bs=4k count=1 iflag=direct", 20)
        self.assertNotEqual(result.status, 0)
        self.assertRegex(result.output, "I/O error|Input/output error")
        guest.check(READ_RNG)

    def test_gone_for_good_then_back(self):
        bed = self.boot_backends(f"{self.disk.window},reconnect=1", "device=rng")
        guest = bed.guest
        guest.check("dd if=/dev/vda of=/dev/null bs=4k count=1")
        self.disk.kill()
        self.wait_needs_reset(guest)
        guest.check(READ_RNG)
        self.disk.start()
        self.rebind(guest, "virtio_blk")
        guest.wait_for("test -e /dev/vda")
        guest.check("dd if=/dev/vda of=/dev/null bs=4k count=1 iflag=direct")

    def test_hangs_in_reset(self):
        bed = self.boot_backends(f"{self.disk.window},answer=1", "device=rng")
        guest = bed.guest
        guest.check("dd if=/dev/vda of=/dev/null bs=4k count=1")
        self.disk.signal(signal.SIGSTOP)
        guest.check("echo virtio0 > /sys/bus/virtio/drivers/virtio_blk/unbind", 60)
        guest.check(READ_RNG)
        self.assertIn("does not answer", bed.msgd.log())
        self.disk.signal(signal.SIGCONT)
        # It sees that the connection is over and lets go of memory; then it is found again
        guest.wait_for("test -e /dev/vda", 20)
        guest.check("dd if=/dev/vda of=/dev/null bs=4k count=1 iflag=direct")

    def test_removed_and_added_at_run_time(self):
        bed = self.boot_backends(self.disk)
        guest = bed.guest
        guest.check("dd if=/dev/vda of=/dev/null bs=4k count=1")
        bed.msgd.control("remove", "0")
        guest.wait_for("test ! -e /dev/vda")
        bed.msgd.control("add", "0", self.disk.window)
        guest.wait_for("test -e /dev/vda")
        guest.check(FILE_SYSTEM, 60)
