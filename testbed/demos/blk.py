# SPDX-License-Identifier: GPL-2.0-only
"""A disk: a file system made, filled and checked, and the disk made larger meanwhile."""

from testbed import backends

PROGRAMS = {"e2fsprogs": ["/sbin/mkfs.ext4", "/sbin/resize2fs"], "fio": ["/usr/bin/fio"]}
LARGER = 192 << 20
FIO = ("fio --name=verify --filename=/mnt/file --size=16M --bs=4k --rw=randwrite "
       "--ioengine=libaio --iodepth=16 --direct=1 --verify=crc32c --verify_fatal=1")


def backend(directory):
    """A disk of 128 MiB by qemu-storage-daemon."""
    return backends.blk(directory)


def size(guest):
    """The disk's size and the file system's, as the guest has them."""
    sectors = int(guest.check("cat /sys/block/vda/size"))
    blocks = guest.check("df -m /mnt | tail -n 1").split()[1]
    return f"{sectors >> 11} MiB, the file system {blocks} MiB"


def show(bed, disk, line):
    """mkfs, mount, fio, resize while mounted."""
    guest = bed.guest
    guest.check("mkfs.ext4 -q /dev/vda && mount -t ext4 /dev/vda /mnt", 60)
    line("/dev/vda", size(guest))
    said = guest.check(FIO, 120)
    rates = [text.split(":", 1)[1].split(",")[0].strip() for text in said.splitlines()
             if text.strip().startswith(("write:", "read:", "read :"))]
    line("fio", f"16 MiB written at random, read back and verified ({', '.join(rates)})")
    disk.resize(LARGER)
    guest.wait_for(f"test $(cat /sys/block/vda/size) -eq {LARGER >> 9}")
    line("disk made larger", size(guest))
    guest.check("umount /mnt && resize2fs /dev/vda && mount -t ext4 /dev/vda /mnt", 60)
    line("resize2fs", size(guest))
    guest.check("umount /mnt")
