# SPDX-License-Identifier: GPL-2.0-only
"""A disk with a queue and a vector for each of four CPUs, by qemu-storage-daemon."""

import re
import unittest

from testbed import backends, kicks
from testbed.bed import run_directory
from testbed.qemu.bed import DRIVER, Bed
from testbed.qemu.e2e import workers

CPUS = range(4)
COUNT = 64
# Each CPU has a part of the disk of its own
PART = 16 << 20
TIMES = 3


def reads(cpu):
    """A command that makes COUNT requests on a CPU, one after the other."""
    return (f"taskset {1 << cpu:x} dd if=/dev/vda of=/dev/null bs=4096 count={COUNT} "
            f"skip={cpu * PART // 4096} iflag=direct")


class Queues(unittest.TestCase):
    def setUp(self):
        name = f"qemu/{self.id().rpartition('.')[2]}"
        disk = backends.blk(run_directory(f"{name}-disk"), len(CPUS) * PART, len(CPUS))
        self.addCleanup(disk.kill)
        disk.start()
        self.bed = Bed(name, {"blk": [f"{disk.window},queues={len(CPUS)}"]}, ("virtio_blk",),
                       cpus=len(CPUS))
        self.guest = self.bed.guest
        self.addCleanup(self.end)
        self.bed.__enter__()
        self.bed.load()
        self.guest.wait_for("test -b /dev/vda")

    def end(self):
        """The kernel did not find itself in error."""
        self.bed.__exit__()
        self.assertEqual(self.guest.splats(), [], self.guest.console_file)

    def vectors(self):
        """{virtqueue: [interrupts on each CPU]}."""
        found = {}
        for line in self.guest.check("grep -- '-vq[0-9]*$' /proc/interrupts").splitlines():
            words = line.split()
            queue = int(re.search(r"-vq(\d+)$", words[-1])[1])
            found[queue] = [int(word) for word in words[1:1 + len(CPUS)]]
        self.assertEqual(set(found), set(CPUS))
        return found

    def interrupts(self, before):
        """{virtqueue: interrupts} since BEFORE, of those that had some."""
        return {queue: sum(after) - sum(before[queue])
                for queue, after in self.vectors().items() if after != before[queue]}

    def queue_of(self, cpu):
        """The queue that the guest's block layer has for a CPU."""
        return int(self.guest.check(f"cd /sys/block/vda/mq; grep -lx {cpu} */cpu_list")
                   .partition("/")[0])

    def traced(self, script):
        """({(CPU, virtqueue)}, number) of the kicks that a script makes: virtio-msgd saw as
        many."""
        before = self.bed.counters("blk")["kicks"]
        found = kicks.traced(self.guest, script)
        self.assertEqual(self.bed.counters("blk")["kicks"] - before, len(found))
        return set(found), len(found)

    def each_cpu_has_its_own(self):
        """Each CPU kicks its own queue, whose own vector comes, on that CPU."""
        queues = {cpu: self.queue_of(cpu) for cpu in CPUS}
        self.assertEqual(set(queues.values()), set(CPUS))
        for cpu, queue in queues.items():
            before = self.vectors()
            self.assertEqual(self.traced(reads(cpu)), ({(cpu, queue)}, COUNT))
            self.assertEqual(self.interrupts(before), {queue: COUNT})
            self.assertEqual(self.vectors()[queue][cpu] - before[queue][cpu], COUNT)
        before = self.vectors()
        script = " & ".join(reads(cpu) for cpu in CPUS) + " & wait"
        self.assertEqual(self.traced(script), (set(queues.items()), len(CPUS) * COUNT))
        self.assertEqual(self.interrupts(before), {queue: COUNT for queue in CPUS})

    def cpus_go_and_come(self):
        """CPUs are taken from the guest and given back while all queues are at work."""
        with workers.verifying(self.guest, "/dev/vda", PART, len(CPUS)) as done:
            for _ in range(TIMES):
                for cpu in CPUS[1:]:
                    self.guest.check(f"echo 0 > /sys/devices/system/cpu/cpu{cpu}/online")
                before = done()
                self.guest.wait_for(f"test $(cat {workers.DONE} | wc -l) -gt {before}")
                for cpu in CPUS[1:]:
                    self.guest.check(f"echo 1 > /sys/devices/system/cpu/cpu{cpu}/online")
        self.each_cpu_has_its_own()

    def unbound_at_work(self):
        """The driver is taken from the function while the disk is read, and given back."""
        [function] = self.bed.functions().values()
        for _ in range(TIMES):
            with workers.reading(self.guest, "vda", len(CPUS)):
                self.guest.check(f"echo {function} > {DRIVER}/unbind")
            self.assertEqual(self.guest.check("ls /sys/block").split(), [])
            self.guest.check(f"echo {function} > {DRIVER}/bind")
            self.guest.wait_for("test -b /dev/vda")
        self.each_cpu_has_its_own()

    def test_four_cpus(self):
        self.each_cpu_has_its_own()
        self.cpus_go_and_come()
        self.unbound_at_work()
        self.assertEqual(self.guest.halt(), 0)
