# SPDX-License-Identifier: GPL-2.0-only
"""A guest with two vCPUs on a machine where Dom0 has two: no notification is lost, none
taken by the kernel and virtio-msgd both."""

from testbed.xen import counting
from testbed.xen.e2e.test_chain import RTC, ChainTest, i2c, rng
from testbed.xen.service import BUILT_IN, I2cBackend, RngBackend, Service

# Each vCPU has a device of its own to keep busy: 256 requests a dump, one a block
DUMPS = 6
BLOCKS = 1500
WORK = (f"(taskset 1 sh -c 'for n in $(seq {DUMPS}); do i2cdump -fy 0 {RTC} b >/dev/null || "
        "echo failed; done') & "
        f"(taskset 2 dd if=/dev/hwrng of=/dev/null bs=64 count={BLOCKS} 2>/dev/null || "
        "echo failed) ; wait")
# Kicks that this is at the least: a driver may leave out some of them
FEWEST = 1000


class TwoCpus(ChainTest):
    """A device on each vCPU at work at once. What the guest's driver sent is counted by the
    guest's kernel, what Dom0's kernel took by Dom0's, and the rest by virtio-msgd."""

    cpus = 2

    def numbers(self, service):
        """(sent, taken by Dom0's kernel, that by virtio-msgd's count, taken by virtio-msgd):
        all at one time, at which the guest sends nothing."""
        for _ in range(50):
            sent = self.sent.now()
            devices = [service.counters(index=index) for index in range(2)]
            numbers = (sent, self.signalled.now(), sum(each["ioeventfds"] for each in devices),
                       sum(each["kicks"] for each in devices))
            if self.sent.now() == sent:
                return numbers
        self.fail("the guest does not stop sending")

    def work(self, service):
        """The numbers, of what the work added."""
        guest = self.guest(vcpus=2, virtio=[i2c(), rng()])
        guest.wait("test -e /sys/bus/i2c/devices/i2c-0 && test -e /dev/hwrng && "
                   "grep -q virtio /sys/class/misc/hw_random/rng_current", 30, "the devices")
        self.sent = counting.Count(guest, counting.NOTIFY)
        self.signalled = counting.Count(self.dom0, counting.SIGNAL, counting.SIGNAL_PROBE)
        before = self.numbers(service)
        self.assertNotIn("failed", guest.run(WORK, 240))
        numbers = [after - first for first, after in zip(before, self.numbers(service))]
        self.assertGreater(numbers[0], FEWEST)
        return numbers

    def test_built_in(self):
        with Service(self.dom0, BUILT_IN) as service:
            sent, signalled, ioeventfds, kicks = self.work(service)
            self.assertEqual((kicks, ioeventfds, signalled), (sent, 0, 0))

    def with_backends(self, options=""):
        """The numbers with two vhost-user backends."""
        with I2cBackend(self.dom0) as one, RngBackend(self.dom0) as two, \
             Service(self.dom0, (one.rule + options, two.rule + options)) as service:
            return self.work(service)

    def assert_taken_by_the_kernel(self, numbers):
        """Each was taken once. virtio-msgd takes what the kernel leaves for a second, which
        happens on a machine that does not get to run for so long."""
        sent, signalled, ioeventfds, kicks = numbers
        self.assertEqual(signalled + kicks, sent, f"ioeventfds: {ioeventfds}")
        self.assertLess(kicks, sent // 100)

    def test_ioeventfd(self):
        self.assert_taken_by_the_kernel(self.with_backends())

    def test_without_ioeventfd(self):
        sent, signalled, ioeventfds, kicks = self.with_backends(",ioeventfd=off")
        self.assertEqual((kicks, ioeventfds, signalled), (sent, 0, 0))

    def test_ioeventfd_among_other_traps(self):
        # In window mode each interrupt is a trap of its own, which virtio-msgd serves
        self.assert_taken_by_the_kernel(self.with_backends(",page=off,irqfd=off"))
