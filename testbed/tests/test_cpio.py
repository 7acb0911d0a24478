# SPDX-License-Identifier: GPL-2.0-only
"""The initramfs writer, judged by cpio and by the format's rules."""

import gzip
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from scripts import debian
from testbed import cpio


class Writer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        debian.install(["busybox-static"])

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.archive = cpio.Archive()

    def unpacked(self):
        """The archive as busybox's cpio, another reader of the format, sees it."""
        path = self.directory / "archive"
        self.archive.write(path)
        subprocess.run(["busybox", "cpio", "-id"], input=gzip.decompress(path.read_bytes()),
                       cwd=self.directory, check=True, capture_output=True)
        return self.directory

    def test_files_of_every_length_come_back(self):
        for length in range(9):
            self.archive.file(f"f{length}", b"x" * length, 0o640)
        directory = self.unpacked()
        for length in range(9):
            file = directory / f"f{length}"
            self.assertEqual(file.read_bytes(), b"x" * length)
            self.assertEqual(file.stat().st_mode & 0o777, 0o640)

    def test_parents_are_added_once_and_first(self):
        self.archive.file("/a/b/c", b"1")
        self.archive.file("a/b/d", b"2")
        self.assertEqual(list(self.archive.entries), ["a", "a/b", "a/b/c", "a/b/d"])
        self.assertEqual((self.unpacked() / "a/b/d").read_bytes(), b"2")

    def test_directory_does_not_replace_one_that_is_there(self):
        self.archive.directory("d", 0o700)
        self.archive.directory("d", 0o755)
        self.assertEqual((self.unpacked() / "d").stat().st_mode & 0o777, 0o700)

    def test_links(self):
        self.archive.link("sh", "/bin/busybox")
        self.assertEqual((self.unpacked() / "sh").readlink(), Path("/bin/busybox"))

    def test_device_nodes_have_type_and_numbers(self):
        self.archive.device("console", "c", 5, 1)
        header = self.archive.data()[:110].decode()
        fields = [int(header[6 + 8 * n:14 + 8 * n], 16) for n in range(13)]
        self.assertEqual(fields[1], 0o020600)
        self.assertEqual(fields[9:11], [5, 1])

    def test_everything_is_aligned_to_four_bytes(self):
        self.archive.file("ab", b"12345")
        data = self.archive.data()
        self.assertEqual(len(data) % 4, 0)
        self.assertEqual(data.index(b"12345") % 4, 0)
        self.assertTrue(data.rstrip(b"\0").endswith(b"TRAILER!!!"))

    def test_same_content_same_bytes(self):
        self.archive.file("a", b"1")
        self.archive.write(self.directory / "1")
        self.archive.write(self.directory / "2")
        self.assertEqual((self.directory / "1").read_bytes(), (self.directory / "2").read_bytes())


if __name__ == "__main__":
    unittest.main()
