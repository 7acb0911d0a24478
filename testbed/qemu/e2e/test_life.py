# SPDX-License-Identifier: GPL-2.0-only
"""Functions that are plugged and unplugged, guests that restart, and ends of all kinds.

MSI: QEMU 11.1.3 aborts when a function with MSI-X is unplugged.
"""

import os
import unittest

from testbed.qemu.bed import Bed
from testbed.qemu.e2e import workers
from testbed.qemu.machine import BOOT_SECONDS
from testbed.qmp import Qmp

TIMES = int(os.environ.get("TESTBED_HOTPLUGS", "24"))
DISKS = {"kept": ["device=blk"], "plugged,msi=on": ["device=blk"]}
PORT = "below"
PART = 1 << 20
WORKERS = 2
WHOLE = ("dd if=/dev/urandom of=/tmp/a bs=4096 count=32 && "
         "dd if=/tmp/a of=/dev/{disk} bs=4096 oflag=direct && "
         "dd if=/dev/{disk} of=/tmp/b bs=4096 count=32 iflag=direct && cmp /tmp/a /tmp/b")


class Life(unittest.TestCase):
    def setUp(self):
        name = f"qemu/{self.id().rpartition('.')[2]}"
        self.bed = Bed(name, DISKS, ("virtio_blk",), plugged=("kept",),
                       more=["-device", f"pcie-root-port,id={PORT},chassis=1",
                             "-action", "reboot=reset"])
        self.guest = self.bed.guest
        self.addCleanup(self.end)
        self.bed.__enter__()
        self.bed.load()
        self.guest.wait_for("test -b /dev/vda")
        self.monitor = self.enterContext(Qmp(self.bed.monitor))

    def end(self):
        """The kernel did not find itself in error."""
        self.bed.__exit__()
        self.assertEqual(self.guest.splats(), [], self.guest.console_file)

    def plug(self):
        """Add the second function; returns the name of its disk."""
        self.monitor.execute("device_add", driver="vfio-user-pci", id="plugged", bus=PORT,
                             socket={"type": "unix", "path": str(self.bed.directory / "plugged")})
        return self.guest.wait_for("cd /sys/block && ls -d vd* | grep -vx vda").strip()

    def unplug(self):
        """Ask the guest for the second function, which is gone then."""
        self.monitor.execute("device_del", id="plugged")
        self.monitor.wait_event("DEVICE_DELETED", 20, device="plugged")
        self.assertEqual(self.guest.check("cd /sys/block && ls -d vd*").split(), ["vda"])

    def test_plugged_and_unplugged_at_work(self):
        with workers.verifying(self.guest, "/dev/vda", PART, WORKERS):
            for _ in range(TIMES):
                disk = self.plug()
                with workers.reading(self.guest, disk, 1):
                    self.unplug()
        self.guest.check(WHOLE.format(disk=self.plug()))
        self.assertEqual(self.guest.halt(), 0)

    def found_again(self):
        """The guest that runs now finds its disk, which works."""
        self.bed.load()
        self.guest.wait_for("test -b /dev/vda")
        self.guest.check(WHOLE.format(disk="vda"))

    def test_restarts(self):
        """Guest, QEMU and virtio-msgd end in the middle of work, or before it, and begin anew."""
        # The guest restarts, by itself and by QEMU
        workers.start(self.guest, "/dev/vda", PART, WORKERS)
        self.guest.reboot()
        self.found_again()
        workers.start(self.guest, "/dev/vda", PART, WORKERS)
        self.monitor.execute("system_reset")
        self.guest.expect("ready", BOOT_SECONDS, "restart")
        self.found_again()
        # virtio-msgd: what it served can be removed, and added when it is there again
        self.guest.check(WHOLE.format(disk=self.plug()))
        self.bed.msgd.kill()
        self.unplug()
        self.bed.msgd.start()
        self.guest.check(WHOLE.format(disk=self.plug()))
        # QEMU
        self.guest.kill()
        self.guest.start()
        self.found_again()
        self.assertEqual(self.guest.halt(), 0)
