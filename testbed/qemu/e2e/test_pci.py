# SPDX-License-Identifier: GPL-2.0-only
"""virtio-msg-pci in a stock kernel in stock QEMU: two CPUs, a disk and random numbers."""

import re
import unittest

from testbed.qemu import initramfs
from testbed.qemu.bed import DRIVER, Bed

# Magic twice: when it is looked for, and behind the store to Page, which is posted. Ten
# messages, of which Doorbell is the only access, and one kick.
BRING_UP = {"Magic": 2, "Identity": 1, "Page": 1, "Doorbell": 10, "QueueNotify": 1}
# When the host is busy a response takes longer than the guest looks for it
READS_MORE = 5
COUNT = 32


class PciTest(unittest.TestCase):
    """One boot: the functions are `rng` and `blk`."""

    def boot(self, options=""):
        """Boot with virtio-msgd's OPTIONS for both functions."""
        self.bed = Bed(f"qemu/{self.id().rpartition('.')[2]}",
                       {f"{name}{options}": [f"device={name}"] for name in ("rng", "blk")},
                       ("virtio_rng", "virtio_blk"))
        self.guest = self.bed.guest
        self.addCleanup(self.end)
        self.bed.__enter__()
        return self.guest

    def end(self):
        """The kernel did not find itself in error."""
        self.bed.__exit__()
        self.assertEqual(self.guest.splats(), [], self.guest.console_file)

    def accesses(self, name):
        """{register: accesses} of the function NAME."""
        traps = self.bed.counters(name)["traps"]
        return {**traps["read"], **traps["write"]}

    def load(self, parameters=""):
        """Load the bus; returns when both devices are there."""
        self.bed.load(parameters)
        self.wait_devices()

    def wait_devices(self):
        """Wait for both devices."""
        self.guest.check("""
            for i in $(seq 100); do
                test -b /dev/vda && grep -q virtio /sys/class/misc/hw_random/rng_current && exit
                usleep 100000
            done
            exit 1""")

    def vectors(self):
        """{what: interrupts} of all functions' vectors."""
        found = {}
        for line in self.guest.check("grep PCI-MSI /proc/interrupts").splitlines():
            words = line.split()
            found[words[-1]] = sum(int(word) for word in words[1:] if re.fullmatch(r"\d+", word))
        return found

    def assert_random(self):
        """Two reads give different bytes that are not zeros."""
        text = self.guest.check("for i in 1 2; do dd if=/dev/hwrng bs=32 count=1 2>/dev/null | "
                                "hexdump -v -e '1/1 \"%02x\"'; echo; done")
        self.assertEqual(len(set(text.split()) - {"00" * 32}), 2, text)

    def assert_stores(self):
        """The disk has what is written to it; each I/O is one access and one interrupt."""
        before = self.bed.counters("blk")
        self.guest.check(f"dd if=/dev/urandom of=/tmp/a bs=4096 count={COUNT} && "
                         f"dd if=/tmp/a of=/dev/vda bs=4096 count={COUNT} oflag=direct && "
                         f"dd if=/dev/vda of=/tmp/b bs=4096 count={COUNT} iflag=direct && "
                         "cmp /tmp/a /tmp/b")
        after = self.bed.counters("blk")
        kicks = after["kicks"] - before["kicks"]
        self.assertEqual(after["interrupts"] - before["interrupts"], kicks)
        self.assertEqual(after["traps"]["total"] - before["traps"]["total"], kicks)
        # Both ways, and a flush at most
        self.assertIn(kicks, range(2 * COUNT, 2 * COUNT + 3))

    def move(self):
        """The interrupt of rng's virtqueue goes to the CPU that it is told."""
        function = self.bed.functions()["rng"]
        line = f"grep 'MSIX.* {function}-vq0' /proc/interrupts"
        for cpu in (0, 1):
            self.guest.check(f"irq=$({line} | cut -d: -f1 | tr -d ' ') && "
                             f"echo {1 << cpu} > /proc/irq/$irq/smp_affinity")
            # The first one may still go where it went
            self.assert_random()
            before = self.guest.check(line).split()
            self.assert_random()
            after = self.guest.check(line).split()
            self.assertEqual(after[2 - cpu], before[2 - cpu])
            self.assertGreater(int(after[1 + cpu]), int(before[1 + cpu]))

    def again(self):
        """Unbind and bind, and reset, both functions."""
        functions = self.bed.functions().values()
        for each in functions:
            self.guest.check(f"echo {each} > {DRIVER}/unbind")
        self.assertEqual(self.guest.run("ls /dev/vda").status, 1)
        for each in functions:
            self.guest.check(f"echo {each} > {DRIVER}/bind")
        self.wait_devices()
        self.assert_random()
        self.assert_stores()
        for each in functions:
            self.guest.check(f"echo 1 > /sys/bus/pci/devices/{each}/reset")
        self.assert_random()
        self.assert_stores()

    def test_msix(self):
        guest = self.boot()
        self.load()
        accesses = self.accesses("rng")
        more = accesses.pop("Magic") - BRING_UP["Magic"]
        self.assertIn(more, range(READS_MORE + 1))
        self.assertEqual(accesses.pop("QueueNotify"), self.bed.counters("rng")["kicks"])
        self.assertEqual(accesses, {name: BRING_UP[name] for name in accesses})
        self.assert_random()
        self.assert_stores()
        # Each virtqueue has a vector, and no other is used
        vectors = self.vectors()
        self.assertEqual(sum(name.endswith("-vq0") for name in vectors), 2, vectors)
        for name, number in vectors.items():
            self.assertEqual(number > 0, "-vq" in name, vectors)
        self.again()
        self.move()
        # All of it again, by the window
        guest.check(f"rmmod {initramfs.BUS}")
        self.load("page=0")
        before = self.accesses("rng")
        self.assert_random()
        self.assert_stores()
        self.assertEqual(self.accesses("rng")["Doorbell"], before["Doorbell"])
        self.assertGreater(before["Window"], 0)
        self.assertEqual(guest.halt(), 0)

    def test_sleep_and_nobody_there(self):
        """Suspended to memory; then virtio-msgd is killed: the driver lets go at once, and
        says so."""
        guest = self.boot()
        self.load()
        guest.check("echo +2 > /sys/class/rtc/rtc0/wakealarm && echo mem > /sys/power/state")
        self.assert_random()
        self.assert_stores()
        self.bed.msgd.kill()
        self.guest.check(f"cd {DRIVER} && for i in 0000:*; do echo $i > unbind; done", 10)
        log = guest.check("dmesg | grep virtio-msg-pci")
        self.assertEqual(log.count("no response to SET_DEVICE_STATUS: -EIO"), 2, log)
        self.assertEqual(log.count("the message page will not be freed"), 2, log)

    def test_msi(self):
        guest = self.boot(",msi=on")
        self.load()
        self.assert_random()
        self.assert_stores()
        vectors = self.vectors()
        self.assertEqual(len(vectors), 2, vectors)
        self.assertNotIn("-vq", " ".join(vectors))
        self.again()
        self.assertEqual(guest.halt(), 0)
