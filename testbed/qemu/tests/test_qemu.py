# SPDX-License-Identifier: GPL-2.0-only
"""QEMU's command line, its packages, and what goes into the initramfs."""

import json
import unittest
from pathlib import Path
from unittest import mock

from testbed.qemu import kernel, machine, packages

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
    def test_functions(self):
        words = machine.arguments("k", "i", ["/a", "/b"], "/c", 7)
        devices = [json.loads(words[at + 1]) for at, word in enumerate(words)
                   if word == "-device"]
        self.assertEqual([each["socket"]["path"] for each in devices], ["/a", "/b"])
        self.assertEqual({each["driver"] for each in devices}, {"vfio-user-pci"})

    def test_memory_is_shared(self):
        words = machine.arguments("k", "i", [], "/c", 7)
        self.assertIn("share=on", words[words.index("-object") + 1])


class Modules(unittest.TestCase):
    def test_names(self):
        self.assertEqual(kernel.module_name(Path("/x/virtio-rng.ko.xz")), "virtio_rng")
        self.assertEqual(kernel.module_name(Path("virtio_msg_pci.ko")), "virtio_msg_pci")

    def test_order(self):
        needs = {"bus": ["window", "core"], "window": ["core"], "core": [], "rng": ["core"]}
        self.assertEqual(kernel.in_order(["rng", "bus"], needs.__getitem__),
                         ["core", "rng", "window", "bus"])
