# SPDX-License-Identifier: GPL-2.0-only
"""A guest with two vCPUs on a machine where Dom0 has two: no request is lost, none taken
by the kernel and virtio-msgd both."""

from testbed.xen.e2e.test_chain import NVRAM, RTC, ChainTest
from testbed.xen.service import BUILT_IN, I2cBackend, Service

READS = 100
READ_LOOP = (f"for n in $(seq {READS}); do i2cget -fy 0 {RTC} {NVRAM} >/dev/null || "
             "echo failed; done")


class TwoCpus(ChainTest):
    """Both vCPUs of the guest read at once, each READS times."""

    cpus = 2

    def read_from_both(self, service, guest):
        """What virtio-msgd counted meanwhile: the former and the latter counters."""
        self.assertEqual(guest.run("nproc").strip(), "2")
        self.read_nvram(guest)
        before = service.counters()
        output = guest.run(f"( {READ_LOOP} ) & ( {READ_LOOP} ) ; wait", 120)
        self.assertNotIn("failed", output)
        return before, service.counters()

    def test_built_in(self):
        with Service(self.dom0, BUILT_IN) as service:
            before, after = self.read_from_both(service, self.guest(vcpus=2))
            self.assertEqual(after["kicks"] - before["kicks"], 2 * READS)

    def test_ioeventfd(self):
        with I2cBackend(self.dom0) as backend, Service(self.dom0, (backend.RULE,)) as service:
            before, after = self.read_from_both(service, self.guest(vcpus=2))
            # The driver leaves out a kick where the backend has not asked for it yet
            kicks = after["ioeventfds"] - before["ioeventfds"]
            self.assertTrue(0 < kicks <= 2 * READS, kicks)
            self.assertEqual(after["kicks"], before["kicks"])
