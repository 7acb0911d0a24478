# SPDX-License-Identifier: GPL-2.0-only
"""A disk with a queue for each CPU of the guest, by qemu-storage-daemon.

Linux 6.12 has one CPU in User Mode Linux.
"""

from testbed import kicks
from testbed.e2e.case import on_two_cpus
from testbed.e2e.test_backend_blk import FILE_SYSTEM, VERIFIED, DiskTest

CPUS = (0, 1)
# Each CPU has a part of the disk of its own
PART = 24 << 20


def raw(cpu):
    """fio on a CPU's part of the disk."""
    return f"{VERIFIED} --filename=/dev/vda --offset={cpu * PART}"


def file(cpu):
    """fio on a file of a CPU's own."""
    return f"{VERIFIED} --filename=/mnt/{cpu}"


class Queues(DiskTest):
    queues = len(CPUS)

    def setUp(self):
        super().setUp()
        self.bed = self.boot_backends(self.disk, cpus=len(CPUS))
        self.guest = self.bed.guest

    def queue_of(self, cpu):
        """The queue that the guest's block layer has for a CPU."""
        return int(self.guest.check(f"cd /sys/block/vda/mq; grep -lx {cpu} */cpu_list")
                   .partition("/")[0])

    def kicked(self, script):
        """The (CPU, queue) pairs of the kicks that a script makes; virtio-msgd saw as many."""
        before = self.bed.msgd.counters()["kicks"]
        found = kicks.traced(self.guest, script)
        self.assertEqual(self.bed.msgd.counters()["kicks"] - before, len(found))
        return set(found)

    def test_each_cpu_uses_its_own(self):
        queues = {cpu: self.queue_of(cpu) for cpu in CPUS}
        self.assertEqual(set(queues.values()), set(range(self.queues)))
        for cpu in CPUS:
            self.assertEqual(self.kicked(f"taskset {1 << cpu} {raw(cpu)}"), {(cpu, queues[cpu])})
        self.assertEqual(self.kicked(on_two_cpus(*map(raw, CPUS))), set(queues.items()))

    def test_file_system(self):
        self.guest.check(FILE_SYSTEM, 60)
        used = {queue for _, queue in self.kicked(on_two_cpus(*map(file, CPUS)))}
        self.assertEqual(used, set(range(self.queues)))
        # Again from the disk: nothing is in the page cache after a mount
        self.guest.check("umount /mnt && mount -t ext4 /dev/vda /mnt")
        self.guest.check(on_two_cpus(*(f"{file(cpu)} --verify_only" for cpu in CPUS)), 120)
        self.guest.check("umount /mnt")
        self.assert_clean()
