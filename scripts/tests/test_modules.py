# SPDX-License-Identifier: GPL-2.0-only
"""What modules are made of, and which headers are meant."""

import re
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from scripts import debian, modules, say, series

KBUILD = (say.REPO / "Kbuild").read_text()


class Sources(unittest.TestCase):
    """The files that are copied."""

    def test_no_tests(self):
        names = modules.sources()
        self.assertIn("drivers/virtio/virtio_msg_mmio.c", names)
        self.assertIn("include/trace/events/virtio_msg.h", names)
        self.assertEqual([name for name in names if re.search("test|fake|kunit", name)], [])

    def test_each_source_belongs_to_a_module(self):
        """What the series adds is also in Kbuild, and nothing else."""
        objects = {f"drivers/virtio/{name}.c" for line in KBUILD.splitlines()
                   for name in re.findall(r"(virtio_msg\w*)\.o", line)
                   if not f"{name}-y" in KBUILD}
        self.assertEqual(objects, {name for name in modules.sources() if name.endswith(".c")})

    def test_diffs_of_own_files_change_one_each(self):
        """Kbuild applies them to one file."""
        own = [name for kind in series.KINDS for name in series.own_files(kind)]
        found = modules.diffs(own)
        self.assertTrue(found)
        for diff in found:
            self.assertEqual(len(modules.changes(diff)), 1, diff)

    def test_lay_touches_what_changed_only(self):
        with tempfile.TemporaryDirectory() as scratch:
            directory = Path(scratch)
            modules.lay(directory)
            kbuild, left = directory / "Kbuild", directory / "drivers/virtio/virtio_msg_old.c"
            before = kbuild.stat().st_mtime_ns
            changed = directory / "drivers/virtio/virtio_msg.c"
            for path in (left, changed):
                path.write_text("x")
            modules.lay(directory)
            self.assertEqual(kbuild.stat().st_mtime_ns, before)
            self.assertFalse(left.exists())
            self.assertNotEqual(changed.read_text(), "x")


class Headers(unittest.TestCase):
    """A directory or a package."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.top = Path(scratch.name).resolve()
        (self.top / "build/include/config").mkdir(parents=True)
        self.release = self.top / "build/include/config/kernel.release"
        self.release.write_text("6.12.1-x\n")

    def test_directory_with_or_without_build(self):
        for headers in (self.top, self.top / "build"):
            self.assertEqual(modules.find_headers(str(headers)), self.top / "build")
        self.assertEqual(modules.release(self.top / "build"), "6.12.1-x")

    def test_package_is_installed(self):
        with mock.patch.object(debian, "install") as install, \
                mock.patch.object(say, "output", return_value=""):
            with self.assertRaisesRegex(say.Error, "no kernel headers in /usr/src/linux-headers"):
                modules.find_headers("linux-headers-0.0-none")
        install.assert_called_once_with(["linux-headers-0.0-none"])

    def test_package_may_stand_for_another(self):
        with mock.patch.object(debian, "install"), \
                mock.patch.object(say, "output", return_value="linux-headers-0.1+x (= 0.1-1)"):
            self.assertEqual(modules.package_directory("linux-headers-none"),
                             "/usr/src/linux-headers-0.1+x")

    def test_nothing_there(self):
        with self.assertRaises(say.Error) as caught:
            modules.find_headers(str(self.top / "none"))
        self.assertIn("HEADERS=", caught.exception.what_to_do)

    def test_too_old(self):
        self.release.write_text("6.1.0-53-amd64\n")
        with self.assertRaisesRegex(say.Error, "need 6.12 or newer"):
            modules.release(self.top / "build")


if __name__ == "__main__":
    unittest.main()
