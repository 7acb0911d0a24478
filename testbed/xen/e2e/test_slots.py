# SPDX-License-Identifier: GPL-2.0-only
"""Devices added to a running guest that has one window, as xl gives it one."""

from testbed.xen.e2e.test_chain import ChainTest, i2c
from testbed.xen.service import I2cBackend, Service

WINDOW = "xen:domu/0/0"
DISK = "device=blk,size=4194304"
# Makes a file system, fills a file on it, and finds it again
USE = ("mkdir -p /mnt && mke2fs -q /dev/vda >/dev/null && mount -t ext2 /dev/vda /mnt && "
       "dd if=/dev/urandom of=/mnt/file bs=64k count=16 2>/dev/null && "
       "sha256sum </mnt/file >/tmp/sum && umount /mnt && mount -t ext2 /dev/vda /mnt && "
       "sha256sum </mnt/file | cmp - /tmp/sum && umount /mnt && echo used")


class Slots(ChainTest):
    def serve(self, *rules):
        """virtio-msgd with room for eight devices in each window."""
        service = Service(self.dom0, rules=rules)
        service.start()
        self.addCleanup(service.stop)
        return service

    def slots(self, service):
        """{slot: its device}."""
        [window] = service.carriers()["xen:domu/0"]
        return {each["slot"]: each["device"] for each in window["slots"]}

    def test_disk_comes_is_used_and_goes(self):
        service = self.serve("entry=device22,device=i2c,slots=8")
        guest = self.guest()
        self.write_nvram(guest, 1)
        for _ in range(2):
            service.control("add", WINDOW, DISK)
            self.assertEqual(self.slots(service), {0: "i2c", 1: "blk"})
            guest.wait("test -b /dev/vda", 30, "the disk's arrival")
            self.assertEqual(guest.run(USE, 60).split()[-1], "used")
            service.control("remove", f"{WINDOW}.1")
            guest.wait("! test -e /dev/vda", 30, "the disk's leaving")
            self.write_nvram(guest, 2)
        guest.destroy()
        self.assert_nothing_left(service)

    def test_eight_devices(self):
        service = self.serve("entry=device22,device=i2c,slots=8")
        guest = self.guest()
        for number in range(7):
            service.control("add", WINDOW, "device=rng" if number % 2 else DISK)
        guest.wait("test $(ls /sys/bus/virtio/drivers/virtio_blk /sys/bus/virtio/drivers/virtio_rng "
                   "/sys/bus/virtio/drivers/i2c_virtio | grep -c ^virtio) = 8", 60, "eight devices")
        for disk in "abcd":
            guest.run(f"echo {disk} | dd of=/dev/vd{disk} bs=512 conv=sync,fsync 2>/dev/null")
        guest.run("echo 3 >/proc/sys/vm/drop_caches")
        for disk in "abcd":
            self.assertEqual(guest.run(f"head -n 1 /dev/vd{disk}").strip(), disk)
        self.write_nvram(guest, 3)

    def test_kicks_of_each_are_taken_by_the_kernel(self):
        """A backend's device in another slot than 0 has its ioeventfd and irqfd, too."""
        backend = I2cBackend(self.dom0)
        backend.__enter__()
        self.addCleanup(backend.__exit__)
        service = self.serve("entry=device22,slots=4")
        guest = self.guest(virtio=[i2c()])
        service.control("add", f"{WINDOW}.3", f"device=vhost-user,type=i2c,socket={backend.socket}0")
        guest.wait("test -e /sys/bus/i2c/devices/i2c-0", 30, "the device's arrival")
        self.write_nvram(guest, 4)
        before = service.counters()
        self.assertEqual(backend.byte(), 4)
        self.write_nvram(guest, 5)
        after = service.counters()
        self.assertEqual((after["kicks"], after["interrupts"]),
                         (before["kicks"], before["interrupts"]))
        self.assertGreater(after["ioeventfds"], before["ioeventfds"])

    def test_restart(self):
        """What options name is given back; what was added is gone, and the guest knows."""
        service = self.serve("entry=device22,device=i2c,slots=4")
        guest = self.guest()
        service.control("add", WINDOW, DISK)
        guest.wait("test -b /dev/vda", 30, "the disk's arrival")
        self.write_nvram(guest, 6)
        service.stop()
        service.start()
        guest.wait("! test -e /dev/vda", 30, "the disk's leaving")
        self.write_nvram(guest, 7)
        self.assertEqual(guest.run("cat /sys/bus/virtio/devices/virtio0/status").strip(),
                         "0x0000000f")
        service.control("add", WINDOW, DISK)
        guest.wait("test -b /dev/vda", 30, "the next disk's arrival")
        self.assertEqual(guest.run(USE, 60).split()[-1], "used")
