# SPDX-License-Identifier: GPL-2.0-only
"""A stock kernel with PREEMPT_RT, where interrupts are threads and spinlocks sleep."""

import unittest

from testbed.qemu.bed import DRIVER, Bed
from testbed.qemu.e2e import workers

READ_RNG = "dd if=/dev/hwrng bs=64 count=4 2>/dev/null | wc -c | grep -qx 256"
TIMES = 5


class Realtime(unittest.TestCase):
    """Two CPUs, a disk and random numbers; page and window."""

    def setUp(self):
        self.bed = Bed(f"qemu/{self.id().rpartition('.')[2]}",
                       {"blk": ["device=blk,size=8388608"], "rng": ["device=rng"]},
                       ("virtio_blk", "virtio_rng"), flavour="rt-")
        self.guest = self.bed.guest
        self.addCleanup(self.end)
        self.bed.__enter__()
        self.assertIn("PREEMPT_RT", self.guest.check("uname -v"))

    def end(self):
        """The kernel did not find itself in error."""
        self.bed.__exit__()
        self.assertEqual(self.guest.splats(), [], self.guest.console_file)

    def work(self, parameters):
        """Both devices at work while the bus is unbound and bound."""
        self.bed.load(parameters)
        self.guest.wait_for("test -b /dev/vda && " + READ_RNG, 60)
        with workers.verifying(self.guest, "/dev/vda", 4 << 20, 2):
            self.guest.check(f"for n in $(seq {TIMES}); do {READ_RNG} || exit 1; done", 60)
        function = self.bed.functions()["blk"]
        for _ in range(TIMES):
            self.guest.check(f"echo {function} > {DRIVER}/unbind; echo {function} > {DRIVER}/bind")
        self.guest.wait_for("dd if=/dev/vda of=/dev/null bs=4k count=16 iflag=direct", 60)

    def test_page(self):
        self.work("")
        self.assertGreater(self.bed.counters("blk")["traps"]["write"]["Doorbell"], 0)

    def test_window(self):
        self.work("page=0")
        self.assertNotIn("Doorbell", self.bed.counters("blk")["traps"]["write"])
