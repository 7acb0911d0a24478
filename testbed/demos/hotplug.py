# SPDX-License-Identifier: GPL-2.0-only
"""Devices that come and go behind one window: a disk, a network and a clock, one after the
other, while a source of random numbers in the same window is read all the time."""

from testbed.demos import net
from testbed.narration import RTC_ADDRESS

PROGRAMS = {}
WINDOW = "device=rng,slots=8"
DISK = "device=blk,size=33554432"
CLOCK = "device=i2c"
DEVICES = "/sys/bus/platform/devices/virtio-msg-mmio.0"

KEEP_READING = ("(n=0; while [ ! -e /tmp/stop ] && dd if=/dev/hwrng of=/dev/null bs=64 count=4; "
                "do n=$((n + 1)); done; echo $n >/tmp/reads) >/dev/null 2>&1 &")
STOP_READING = "touch /tmp/stop; until cat /tmp/reads 2>/dev/null; do usleep 10000; done"


def backend(directory):
    """The network's."""
    return net.backend(directory)


def devices(guest):
    """The names of the virtio devices that the guest has."""
    return set(guest.check(f"ls {DEVICES} | grep '^virtio[0-9]'").split())


def add(bed, options, present):
    """Add a device; returns (the slot it is in, its name in the guest, there when PRESENT is)."""
    before = devices(bed.guest)
    params = dict(each.split("=", 1) for each in options.split(","))
    slot = bed.msgd.ask("add", "0", **params)["slot"]
    bed.guest.wait_for(present)
    [name] = devices(bed.guest) - before
    return slot, name


def remove(bed, slot, present, line):
    """Take it away again."""
    bed.msgd.ask("remove", f"0.{slot}")
    bed.guest.wait_for(f"! {present}")
    line("removed", f"slot {slot} is empty")


def show_disk(bed, line):
    """A disk is formatted, filled, checked."""
    slot, name = add(bed, DISK, "test -b /dev/vda")
    line("added: a disk", f"slot {slot}, {name}, /dev/vda")
    bed.guest.check("mke2fs -q /dev/vda && mount -t ext4 /dev/vda /mnt && "
                    "dd if=/dev/urandom of=/mnt/file bs=64k count=64 2>/dev/null && "
                    "sha256sum < /mnt/file > /tmp/sum && umount /mnt && "
                    "mount -t ext4 /dev/vda /mnt && sha256sum < /mnt/file | cmp - /tmp/sum && "
                    "umount /mnt", 60)
    line("used", "a file system made, 4 MiB written, read back the same")
    remove(bed, slot, "test -e /dev/vda", line)


def show_net(bed, made, line):
    """A network gets an address."""
    slot, name = add(bed, made.window, "test -e /sys/class/net/eth0")
    line("added: a network", f"slot {slot}, {name}, eth0 ({made.name})")
    net.get_address(bed.guest)
    line("used", "by DHCP: "
         + bed.guest.check("ip -o -4 addr show eth0").split("inet ")[1].split()[0])
    remove(bed, slot, "test -e /sys/class/net/eth0", line)


def show_clock(bed, line):
    """A clock is read."""
    slot, name = add(bed, CLOCK, "test -e /dev/i2c-0")
    line("added: an I2C bus", f"slot {slot}, {name}, /dev/i2c-0")
    bed.guest.check(f"echo ds1338 {RTC_ADDRESS} > /sys/bus/i2c/devices/i2c-0/new_device")
    bed.guest.wait_for("test -e /dev/rtc0")
    line("used", "its clock: " + bed.guest.check("hwclock -r --utc").strip())
    remove(bed, slot, "test -e /dev/i2c-0", line)


def show(bed, made, line):
    """All of them, and what the one beside them did meanwhile."""
    bed.guest.check(KEEP_READING)
    show_disk(bed, line)
    show_net(bed, made, line)
    show_clock(bed, line)
    reads = int(bed.guest.check(STOP_READING))
    line("meanwhile", f"{reads} times 256 random bytes were read beside them")
