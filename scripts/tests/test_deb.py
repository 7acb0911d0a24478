# SPDX-License-Identifier: GPL-2.0-only
"""What `make deb` fills in."""

import re
import tempfile
import unittest
from pathlib import Path

from scripts import deb, modules, say

WHO = ("A. Maintainer", "a@localhost")
CONTROL = """\
Source: x
Build-Depends:
 debhelper-compat (= 13),
 libxen-dev [amd64 arm64],
 meson (>= 1.0)
Standards-Version: 1
"""


class Control(unittest.TestCase):
    """Which packages building takes."""

    def test_by_architecture(self):
        self.assertEqual(deb.build_dependencies(CONTROL, "arm64"),
                         ["debhelper", "libxen-dev", "meson"])
        self.assertEqual(deb.build_dependencies(CONTROL, "s390x"), ["debhelper", "meson"])

    def test_what_is_not_understood_is_an_error(self):
        with self.assertRaisesRegex(say.Error, "'a | b' is not understood"):
            deb.build_dependencies("Build-Depends: a | b\n", "amd64")

    def test_ours_is_understood(self):
        self.assertIn("dh-dkms", deb.build_dependencies(deb.CONTROL.read_text(), "amd64"))


class Version(unittest.TestCase):
    """The version comes from git."""

    def test_at_its_tag(self):
        self.assertEqual(deb.version("0.1", "v0.1", "7", "abcd", ""), "0.1")

    def test_before_its_tag(self):
        self.assertEqual(deb.version("0.1", "", "7", "abcd", ""), "0.1~git7.abcd")
        self.assertEqual(deb.version("0.1", "v0.0", "7", "abcd", ""), "0.1~git7.abcd")

    def test_with_changes(self):
        self.assertEqual(deb.version("0.1", "v0.1", "7", "abcd", " M x"),
                         "0.1~git7.abcd+changed")

    def test_of_the_project(self):
        self.assertRegex(deb.project_version(), r"^\d+(\.\d+)+$")


class Modules(unittest.TestCase):
    """dkms.conf has what Kbuild has."""

    def test_names(self):
        kbuild = "obj-m := a.o\na-y := b.o c.o\nobj-$(CONFIG_D:y=m) += d.o\n"
        self.assertEqual(deb.module_names(kbuild), ["a", "d"])

    def test_lines(self):
        self.assertIn('BUILT_MODULE_NAME[1]="d"\nDEST_MODULE_LOCATION[1]="/updates/dkms"',
                      deb.dkms_lines(["a", "d"]))

    def test_kernels(self):
        """Those that dkms builds for are those that `make modules` builds for."""
        conf = (say.REPO / "debian" / "virtio-msg-dkms.dkms").read_text()
        pattern = re.compile(re.search('BUILD_EXCLUSIVE_KERNEL="(.*)"', conf)[1])
        for release, fits in (("6.1.0-53-amd64", False), ("6.11.2", False), ("5.19.0", False),
                              ("6.12.117+deb12-amd64", True), ("6.20.1", True),
                              ("7.3.4", True), ("10.0.1", True)):
            self.assertEqual(bool(pattern.match(release)), fits, release)
        self.assertEqual(modules.OLDEST, (6, 12))


class Laid(unittest.TestCase):
    """The copy that packages are built from."""

    def test_nothing_is_left_open(self):
        with tempfile.TemporaryDirectory() as scratch:
            directory = Path(scratch) / "copy"
            deb.lay(directory, WHO, "0.1~git7.abcd", "Thu, 01 Jan 2026 00:00:00 -0000")
            for path in (directory / "debian").rglob("*"):
                if path.is_file():
                    self.assertNotRegex(path.read_text(), "@[A-Z]+@", path)
            changelog = (directory / "debian/changelog").read_text()
            self.assertIn(" -- A. Maintainer <a@localhost>  Thu, 01 Jan 2026", changelog)
            self.assertTrue(changelog.startswith("virtio-msg (0.1~git7.abcd) unstable;"))
            self.assertIn("Kbuild\n", (directory / "debian/modules").read_text())


if __name__ == "__main__":
    unittest.main()
