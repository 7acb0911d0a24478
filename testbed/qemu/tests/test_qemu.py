# SPDX-License-Identifier: GPL-2.0-only
"""QEMU's command line, its packages, and what goes into the initramfs."""

import json
import shutil
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

from testbed.commanded import Failed
from testbed.qemu import initramfs, kernel, machine, packages

DEPENDS = {
    "qemu-system-x86": "qemu-system-x86\n  Depends: <libc6>\n  Depends: seabios\n"
                       "  Depends: passt\n",
    "seabios": "seabios\n",
    "libc6": "libc6\n  Depends: libgcc-s1\n  Depends: <virtual>\n",
    "libgcc-s1": "libgcc-s1\n",
}


class Packages(unittest.TestCase):
    def test_each_from_its_suite(self):
        def names(prefix, _):
            return [name for name in ("qemu-system-x86", "seabios") if name.startswith(prefix)]

        def ask(_suite, _arch, _query, *wanted):
            return "".join(DEPENDS[name] for name in wanted)

        with mock.patch("scripts.debian.names", names), mock.patch("scripts.debian.ask", ask):
            found = packages.Qemu().by_suite()
        self.assertEqual(found, {"trixie-backports": ["qemu-system-x86", "seabios"],
                                 "trixie": ["libc6", "libgcc-s1"]})


class CommandLine(unittest.TestCase):
    def words(self, **more):
        """The command line of a machine."""
        return machine.arguments("k", "i", "/c", 7, **more)

    def test_function(self):
        said = json.loads(machine.function("/a", bus="b"))
        self.assertEqual(said, {"driver": "vfio-user-pci", "bus": "b",
                                "socket": {"type": "unix", "path": "/a"}})

    def test_memory_is_shared(self):
        words = self.words()
        self.assertIn("share=on", words[words.index("-object") + 1])

    def test_machine(self):
        words = self.words(cpus=4, accel="kvm:tcg")
        self.assertIn("accel=kvm:tcg,", words[words.index("-M") + 1])
        self.assertEqual(words[words.index("-smp") + 1], "4")


class Started(unittest.TestCase):
    """A program that is not QEMU takes its place."""

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)

    def machine(self, program):
        """A Machine that is the Python PROGRAM, which has the line to the host as LINE."""
        program = f"""import re, socket, sys, time
fd = next(re.search(r'fd=(\\d+)', word)[1] for word in sys.argv if 'id=line' in word)
line = socket.socket(fileno=int(fd))
{program}"""
        made = machine.Machine("k", "i", self.directory, [])
        made.console_file.touch()
        self.addCleanup(made.kill)
        patch = mock.patch("testbed.qemu.packages.Qemu.command",
                           lambda _self, _program, *words: [sys.executable, "-c", program, *words])
        self.addCleanup(patch.stop)
        patch.start()
        return made

    def test_scripts(self):
        made = self.machine("""
line.sendall(b'noise\\nready\\n')
line.recv(1000)
line.sendall(b'ended 3 b25lCg==\\n')
time.sleep(60)""").start()
        result = made.run("whatever")
        self.assertEqual((result.status, result.output), (3, "one\n"))

    def test_kvm_that_cannot_run_the_guest_is_not_waited_for(self):
        started = time.monotonic()
        with self.assertRaises(Failed) as raised:
            self.machine("print('KVM internal error. Suberror: 3', flush=True); "
                         "time.sleep(60)").start()
        self.assertLess(time.monotonic() - started, 30)
        self.assertIn("KVM internal error", str(raised.exception))

    def test_qemu_that_ends(self):
        with self.assertRaisesRegex(Failed, "(?s)ended before.*no such device"):
            self.machine("sys.exit('no such device')").start()


class Modules(unittest.TestCase):
    def test_names(self):
        self.assertEqual(initramfs.module_name(Path("/x/virtio-rng.ko.xz")), "virtio_rng")
        self.assertEqual(initramfs.module_name(Path("virtio_msg_pci.ko")), "virtio_msg_pci")

    def test_order(self):
        needs = {"bus": ["window", "core"], "window": ["core"], "core": [], "rng": ["core"]}
        self.assertEqual(initramfs.in_order(["rng", "bus"], needs.__getitem__),
                         ["core", "rng", "window", "bus"])

    def test_what_a_kernel_leaves_out(self):
        config = "CONFIG_I2C=y\n# CONFIG_I2C_VIRTIO is not set\nCONFIG_RTC_DRV_DS1307=m\n"
        self.assertEqual(kernel.left_out(config), ["i2c-virtio"])
