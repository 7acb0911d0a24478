# SPDX-License-Identifier: GPL-2.0-only
"""Kernel parameters, run directories, the image's key and the demo's words."""

import os
import shutil
import unittest
from pathlib import Path
from unittest import mock

from scripts import debian, say
from testbed import bed, demo, image


class Parameters(unittest.TestCase):
    def test_region_covers_all_windows(self):
        self.assertEqual(bed.region("/s", 4), "mmio_sock.region=0x800@0x1000000000:32-35:/s")

    def test_windows_follow_each_other(self):
        self.assertEqual(bed.window(0), "virtio_msg_mmio.device=0x200@0x1000000000:32")
        self.assertEqual(bed.window(3, "virtio_mmio"),
                         "virtio_mmio.device=0x200@0x1000000600:35")

    def test_large_windows_have_the_place_of_two(self):
        self.assertEqual(bed.given(["device=rng,slots=44", ["slots=45", "device=rng"], ""]),
                         ["virtio_msg_mmio.device=0x200@0x1000000000:32",
                          "virtio_msg_mmio.device=0x400@0x1000000200:33",
                          "virtio_msg_mmio.device=0x200@0x1000000600:35"])

    def test_personality_chooses_the_driver(self):
        self.assertEqual(bed.driver_of("device=rng"), "virtio_msg_mmio")
        self.assertEqual(bed.driver_of("device=rng,personality=mmio"), "virtio_mmio")
        self.assertEqual(bed.driver_of("personality=msg"), "virtio_msg_mmio")


class RunDirectory(unittest.TestCase):
    def made(self, name):
        path = bed.run_directory(name)
        self.addCleanup(shutil.rmtree, path, True)
        self.addCleanup(shutil.rmtree, say.REPO / "out" / name, True)
        return path

    def test_is_empty_and_its_sockets_paths_fit(self):
        first = self.made("unit-test")
        (first / "left").touch()
        second = self.made("unit-test")
        self.assertEqual(list(second.iterdir()), [])
        self.assertLess(len(os.fsencode(second / "control.sock")), 108)

    def test_long_names_get_short_paths(self):
        path = self.made("unit-test-" + "x" * 100)
        self.assertLess(len(os.fsencode(path / "control.sock")), 108)
        link = say.REPO / "out" / ("unit-test-" + "x" * 100) / "files"
        self.assertEqual(link.resolve(), path)
        self.made("unit-test-" + "x" * 100)
        self.assertFalse(path.exists())


class Image(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        debian.install([*image.packages()])

    def test_key_changes_with_a_program(self):
        program = Path("/var/tmp") / f"image-test-{os.getpid()}"
        program.write_text("1")
        self.addCleanup(program.unlink)
        made = image.Image({"nothing": [str(program)]})
        before = made.key()
        self.assertEqual(made.key(), before)
        os.utime(program, ns=(1, 1))
        self.assertNotEqual(made.key(), before)

    def test_libraries_come_along(self):
        found = image.libraries("/bin/bash")
        self.assertTrue(any("libc.so" in path for path in found), found)
        self.assertTrue(any("ld-linux" in path for path in found), found)

    def test_a_text_is_no_program(self):
        with self.assertRaisesRegex(say.Error, "not a program"):
            image.libraries("/etc/passwd")

    def test_content(self):
        entries = image.Image().archive().entries
        self.assertEqual(entries["init"][0] & 0o777, 0o755)
        for name in ("dev/console", "bin/busybox", "bin/sh", "usr/sbin/i2cdetect"):
            self.assertIn(name, entries)
        hwclocks = [name for name in entries if name.endswith("/hwclock")]
        self.assertEqual(hwclocks, ["sbin/hwclock"])


class Words(unittest.TestCase):
    def test_status(self):
        self.assertEqual(demo.status_text(15), "ACKNOWLEDGE DRIVER DRIVER_OK FEATURES_OK")
        self.assertEqual(demo.status_text(0), "reset")

    def test_a_clock_that_does_not_keep_what_was_set_is_an_error(self):
        guest = mock.Mock()
        guest.check.return_value = "1999-01-01 00:00:00.000000+00:00\n"
        with mock.patch("builtins.print"), self.assertRaisesRegex(say.Error, "was set to"):
            demo.show_clock(guest)


if __name__ == "__main__":
    unittest.main()
