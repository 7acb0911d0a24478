# SPDX-License-Identifier: GPL-2.0-only
"""Unit tests: guests' configurations, the machine's command line, Dom0's image."""

import unittest
from pathlib import Path

from testbed.xen import guest, image, machine


class Configuration(unittest.TestCase):
    def test_as_in_the_repository(self):
        text = guest.configuration()
        for line in guest.CONFIG.read_text().splitlines():
            if line and not line.startswith(("#", "name")):
                self.assertIn(line, text)
        self.assertEqual(text.count("name ="), 1)

    def test_values_replace_lines(self):
        text = guest.configuration("two", vcpus=2, virtio=["type=virtio,device4", "x"])
        self.assertIn('name = "two"\n', text)
        self.assertIn("vcpus = 2\n", text)
        self.assertIn('virtio = [ "type=virtio,device4", "x" ]\n', text)
        self.assertEqual(text.count("vcpus"), 1)
        self.assertEqual(text.count("virtio ="), 1)

    def test_an_entry_for_a_device(self):
        self.assertIn(f'virtio = [ "{guest.virtio(0x22)}" ]\n', guest.configuration())
        self.assertIn("device4, ", guest.virtio(4))
        self.assertIn("grant_usage=0", guest.virtio(4, grants=0))

    def test_none_removes(self):
        self.assertNotIn("virtio =", guest.configuration(virtio=None))


class CommandLine(unittest.TestCase):
    def test_a_shell_on_a_socket_or_the_terminal(self):
        for shell, mode in (("/run/x", "dom0.shell"), (None, "dom0.prompt")):
            words = machine.qemu("xen", "Image", "initrd", shell)
            [loader] = [word for word in words if "bootargs=" in word]
            self.assertIn(mode, loader)
            self.assertEqual(any("/run/x" in word for word in words), bool(shell))

    def test_cpus(self):
        words = machine.qemu("xen", "Image", "initrd", vcpus=2)
        self.assertEqual(words[words.index("-smp") + 1], "2")
        self.assertIn("dom0_max_vcpus=2", words[words.index("-append") + 1])


class Dom0Image(unittest.TestCase):
    def test_leaves_out_what_nobody_needs(self):
        for name in ("usr/share/doc/x", "usr/sbin/xl", "usr/lib/aarch64-linux-gnu/libc.a",
                     "usr/lib/xen-common/bin/xen-dir"):
            self.assertFalse(image.wanted(name), name)
        for name in ("usr/lib/xen-4.20/bin/xl", "usr/bin/busybox", "etc/xen/scripts/x",
                     "usr/lib/aarch64-linux-gnu/libc.so.6", "lib"):
            self.assertTrue(image.wanted(name), name)

    def test_guest_image_has_busybox_init_and_programs(self):
        data = image.guest(b"the program", {"try.py": image.HERE / "image.py"})
        self.assertIn(b"bin/busybox\0", data)
        self.assertIn(b"the program", data)
        self.assertIn(b"bin/try.py\0", data)
        self.assertIn((image.HERE / "image.py").read_bytes(), data)
        self.assertIn(Path(image.HERE / "domu/init").read_bytes(), data)


if __name__ == "__main__":
    unittest.main()
