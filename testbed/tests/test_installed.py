# SPDX-License-Identifier: GPL-2.0-only
"""What is asked of modules and packages, and of which Debian."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

from scripts import cache, say
from testbed import chroot, installed

MODINFO = """\
filename:       /x/virtio_msg_mmio.ko
license:        GPL
description:    a bus
alias:          of:N*T*Cvirtio,mmio
depends:        virtio_msg_core
name:           virtio_msg_mmio
vermagic:       6.12.1-x SMP preempt mod_unload
"""


class Modules(unittest.TestCase):
    """What modinfo says."""

    def problems(self, text, kernel="6.12.1-x"):
        """What is wrong with the bus whose modinfo is TEXT."""
        return installed.wrong_module(installed.parse_modinfo(text), "virtio_msg_mmio", kernel,
                                      "virtio_msg_core")

    def test_right(self):
        self.assertEqual(self.problems(MODINFO), [])

    def test_each_wrong_field_is_found(self):
        for old, new in (("GPL", "MIT"), ("depends:        virtio_msg_core", "depends:"),
                         ("description:    a bus\n", ""), ("6.12.1-x", "6.12.2-x")):
            self.assertEqual(len(self.problems(MODINFO.replace(old, new))), 1, old)

    def test_nothing(self):
        self.assertEqual(len(self.problems("")), 5)

    def test_buses_need_the_core(self):
        self.assertEqual(installed.names()["virtio_msg_core"], "")
        self.assertEqual(installed.names()["virtio_msg_window"], "virtio_msg_core")
        self.assertEqual(installed.names()["virtio_msg_mmio"], "virtio_msg_window")


class Releases(unittest.TestCase):
    """Which Debian for which base."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        patch = mock.patch.object(cache, "root", return_value=Path(scratch.name))
        patch.start()
        self.addCleanup(patch.stop)

    def test_lts_is_on_the_host_s_release(self):
        for host, package in (("bookworm", "linux-headers-6.12-amd64"),
                              ("trixie", "linux-headers-amd64")):
            found = installed.releases(host, "amd64")
            self.assertEqual(found["lts"].name, host)
            self.assertIn(package, found["lts"].packages)
            self.assertEqual(found["mainline"].name, "trixie")
            self.assertNotEqual(found["lts"].image, found["mainline"].image)

    def test_image_changes_with_what_is_in_it(self):
        images = {chroot.Release("trixie", suites, packages, stamp).image
                  for suites, packages, stamp in (([], ["a"], ""), (["x"], ["a"], ""),
                                                  ([], ["b"], ""), ([], ["a"], "new"))}
        self.assertEqual(len(images), 4)
        self.assertEqual(chroot.Release("trixie", [], ["a", "b"]).image,
                         chroot.Release("trixie", [], ["b", "a"]).image)

    def test_settings_of_apt_are_taken_over(self):
        dump = ('Acquire::http::Proxy "http://proxy.invalid:1";\nAcquire::https::Proxy "";\n'
                'Acquire::Retries "3";\n')
        with mock.patch.object(say, "output", return_value=dump):
            self.assertEqual(chroot.apt_settings(),
                             ['Acquire::http::Proxy "http://proxy.invalid:1";'])


if __name__ == "__main__":
    unittest.main()
