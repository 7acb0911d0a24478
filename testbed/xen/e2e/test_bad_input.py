# SPDX-License-Identifier: GPL-2.0-only
"""What guests, toolstacks and hosts get wrong: one clear line, and a guest that gets an
error instead of waiting."""

import subprocess

from testbed import msgd
from testbed.fake_window import IDENTITY, PAGE
from testbed.xen import e2e, hypervisor
from testbed.xen.driver import BASE, DRIVER_OK, NOT_GRANTED, Driver
from testbed.xen.e2e.test_chain import ChainTest, i2c
from testbed.xen.guest import Guest
from testbed.xen.service import Service

# Every register and what is between them, in each size
OFFSETS = " ".join(f"{offset:#x}" for offset in (*range(0, 0x60, 4), 0xf0, 0xfc, 0x180, 0x1fc))
SIZES = "8 16 32 64"


class BadGuest(ChainTest):
    """Guests that do what a driver does not, with a built-in device."""

    def setUp(self):
        super().setUp()
        self.service.start()
        self.addCleanup(self.service.stop)

    def assert_dom0_is_well(self):
        """Dom0's kernel did not find itself in error."""
        self.assertEqual(self.dom0.run("dmesg | grep -E 'Oops|BUG:|WARNING:' || true"), "")

    def test_accesses_of_all_sizes(self):
        guest = self.guest()
        driver = Driver(guest)
        for access in ("", " 0xffffffffffffffff"):
            output = guest.run(f"for size in {SIZES}; do for at in {OFFSETS}; do "
                               f"at=$(( {BASE:#x} + at )); "
                               "test $(( at % (size / 8) )) = 0 || continue; "
                               f"devmem $at $size{access} >/dev/null || echo failed $at $size; "
                               "done; done", 120)
            self.assertNotIn("failed", output)
        # Bytes and halves of a register are nothing
        self.assertEqual([driver.read(0, bits) for bits in (8, 16)], [0, 0])
        driver.let_go()
        self.write_nvram(guest, 6)
        self.assert_dom0_is_well()

    def test_outside_its_window(self):
        guest = self.guest()
        for command in (f"devmem {BASE + 0x200:#x} 32", f"devmem {BASE + 0x200:#x} 32 1"):
            # Xen has nobody for it: an abort (an address size fault), which kills the program
            _, status = guest.run(command, check=False)
            self.assertEqual(status, 128 + 9)
        self.write_nvram(guest, 7)

    def test_halves_of_64_bits(self):
        driver = Driver(self.guest())
        whole = driver.read(IDENTITY, 64)
        self.assertEqual(driver.read(IDENTITY) | driver.read(IDENTITY + 4) << 32, whole)
        # The message page by its halves, which is refused like one that is written whole
        driver.write(PAGE, NOT_GRANTED & 0xffffffff | 1)
        self.assertNotIn("did not grant", self.service.log())
        driver.write(PAGE + 4, NOT_GRANTED >> 32)
        self.assertIn("did not grant 4096 bytes", self.service.log())
        driver.let_go()
        self.write_nvram(driver.guest, 8)

    def test_message_page_that_is_not_granted(self):
        driver = Driver(self.guest())
        driver.write(PAGE, NOT_GRANTED | 1, 64)
        self.assertIn("the guest did not grant 4096 bytes at reference 0xfff000",
                      self.service.log())
        self.assertIn("the guest gives a message page that cannot be used", self.service.log())
        driver.let_go()
        self.write_nvram(driver.guest, 9)
        self.assert_dom0_is_well()

    def test_rings_that_are_not_granted(self):
        guest, other = self.guest(), self.guest("other")
        driver = Driver(guest)
        driver.negotiate()
        # There is no response, which a driver takes for an error
        self.assertFalse(driver.set_queue([NOT_GRANTED + page * 0x1000 for page in range(3)]))
        driver.set_status(DRIVER_OK)
        driver.kick()
        self.assertIn("did not grant", self.service.log())
        self.assertIn("the guest puts a queue outside its memory", self.service.log())
        self.write_nvram(other, 10)
        driver.let_go()
        self.write_nvram(guest, 11)
        self.assert_dom0_is_well()


class BadRecords(ChainTest):
    """A toolstack that writes something else into xenstore than virtio-msgd needs."""

    def guest_after(self, change, **changes):
        """A guest for which CHANGE, a shell command, was done to xenstore, with $device, while
        nobody looked; not waited for."""
        guest = Guest(self.dom0, virtio=[i2c()], on_reboot="destroy", **changes)
        self.dom0.run(f"rm -f {guest.console}; xl create -q -p {guest.config} && "
                      "device=/local/domain/0/backend/virtio/$(xl domid domu)/0 && "
                      f"{{ {change}; }}", 60)
        self.service.start()
        self.addCleanup(self.service.stop)
        self.dom0.run("xl unpause domu")
        return guest

    def check_ignored(self, change):
        """The device cannot be served, which is said; the guest gets an abort and ends."""
        self.guest_after(change)
        self.dom0.wait("! xl domid domu 2>/dev/null", 60, "the guest's end")
        self.assertIn("xen:domu/0: xenstore has no transport=mmio and base for it: ignored",
                      self.service.log())
        # The next guest is served
        self.write_nvram(self.guest(), 12)

    def test_another_transport(self):
        self.check_ignored("xenstore-write $device/transport pci")

    def test_no_base(self):
        self.check_ignored("xenstore-rm $device/base")

    def test_no_interrupt(self):
        guest = self.guest_after("xenstore-rm $device/irq")
        guest.ready()
        self.assertEqual(int(guest.run("devmem 0x2000000 32"), 16), 0)
        self.assertIn("xen:domu/0: xenstore has no irq for it: nothing is in its window",
                      self.service.log())

    def test_no_word_about_grants(self):
        guest = self.guest_after("xenstore-rm $device/grant_usage")
        guest.ready()
        self.assertIn("xenstore has no grant_usage for it: taken as 0", self.service.log())


class BadHost(ChainTest):
    """Places where there is no Xen for virtio-msgd, or not enough of it."""

    def refused(self, command):
        """What virtio-msgd, started by COMMAND, says before it ends at once."""
        output, status = self.dom0.run(command, check=False)
        self.assertNotEqual(status, 0)
        self.assertEqual(len(output.splitlines()), 1, output)
        return output

    def test_without_rights(self):
        self.assertIn("cannot reach xenstore: Permission denied; --xen needs root in Dom0",
                      self.refused("echo nobody:x:65534:65534::/: >/etc/passwd; "
                                   "start-stop-daemon -S -c nobody -x "
                                   "/usr/local/bin/virtio-msgd -- --xen device=i2c"))

    def test_without_xen(self):
        # As on a machine without Xen: no way to xenstore
        output = self.refused("mkdir -p /tmp/root; mount --bind / /tmp/root; XENSTORED_PATH=/x "
                              "chroot /tmp/root virtio-msgd --xen device=i2c")
        self.dom0.run("umount /tmp/root")
        self.assertIn("cannot reach xenstore", output)
        self.assertIn("--xen needs root in Dom0 of a Xen host", output)

    def test_on_this_machine(self):
        run = subprocess.run([msgd.build(), "--xen", "device=i2c"], capture_output=True, text=True,
                             timeout=30, check=False)
        self.assertNotEqual(run.returncode, 0)
        # As it was built with libxen-dev or without
        self.assertRegex(run.stderr, "^virtio-msgd: (xen: this virtio-msgd was built without Xen's "
                         "libraries: install libxen-dev|cannot reach xenstore: ).*\n$")

    def test_rule_that_is_nonsense(self):
        output, status = self.dom0.run("virtio-msgd --xen nonsense=1", check=False)
        self.assertEqual(status, 2)
        self.assertIn("nonsense", output)

    def test_hypervisor_without_ioreq_servers(self):
        with e2e.chain().boot("xen-test-plain", hypervisor=hypervisor.plain()) as dom0, \
             Service(dom0) as service:
            guest = Guest(dom0, on_reboot="destroy").start(until_ready=False)
            # The guest's access is for nobody: an abort, by which it ends
            dom0.wait("! xl domid domu 2>/dev/null", 60, "the guest's end")
            self.assertIn("xen: domu: this hypervisor has no IOREQ server: "
                          "build Xen with CONFIG_IOREQ_SERVER", service.log())
            self.assertRegex(guest.log(), "Unhandled fault|Internal error")
