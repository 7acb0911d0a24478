# SPDX-License-Identifier: GPL-2.0-only
"""A directory by virtiofsd: a tree copied in and out, compared."""

import filecmp
import os
import random

from testbed import backends
from testbed.e2e.backend_case import BackendTest


def make_tree(path):
    """A tree of files of many sizes, directories, links."""
    source = random.Random(1)
    for directory in ("a", "a/b", "c d", "empty"):
        (path / directory).mkdir(parents=True)
    for number, size in enumerate((0, 1, 4095, 4096, 4097, 70000, 1 << 20, 3 << 20)):
        (path / ("a", "a/b", "c d")[number % 3] / f"file {number}").write_bytes(
            source.randbytes(size))
    (path / "link").symlink_to("a/b")
    os.chmod(path / "a" / "file 0", 0o640)


class Directory(BackendTest):
    def assert_same(self, left, right):
        """Both trees have the same files, links and directories."""
        compared = filecmp.dircmp(left, right)
        self.assertEqual((compared.left_only, compared.right_only, compared.funny_files),
                         ([], [], []))
        _, differ, errors = filecmp.cmpfiles(left, right, compared.common_files, shallow=False)
        self.assertEqual((differ, errors), ([], []))
        for name in compared.common_files:
            self.assertEqual((left / name).stat().st_mode, (right / name).stat().st_mode)
        for name in compared.common_dirs:
            self.assertEqual((left / name).is_symlink(), (right / name).is_symlink())
            self.assert_same(left / name, right / name)

    def test_tree_in_and_out(self):
        shared = self.directory / "shared"
        shared.mkdir()
        make_tree(shared / "in")
        guest = self.boot_backends(self.backend("virtiofsd", backends.fs, shared)).guest
        guest.check(f"mount -t virtiofs {backends.FS_TAG} /mnt")
        guest.check("cp -a /mnt/in /tmp/tree", 60)
        guest.check("cp -a /tmp/tree /mnt/out && sync", 60)
        self.assertEqual(guest.check("diff -r /tmp/tree /mnt/out"), "")
        guest.check("umount /mnt")
        self.assertEqual(sum(path.is_file() for path in (shared / "out").rglob("*")), 8)
        self.assert_same(shared / "in", shared / "out")

    def test_mounted_again_after_rebind(self):
        shared = self.directory / "shared"
        shared.mkdir()
        (shared / "hello").write_text("hello\n")
        guest = self.boot_backends(self.backend("virtiofsd", backends.fs, shared)).guest
        read = f"mount -t virtiofs {backends.FS_TAG} /mnt && cat /mnt/hello; umount /mnt"
        self.assertEqual(guest.check(read), "hello\n")
        self.rebind(guest, "virtiofs")
        self.assertEqual(guest.check(read), "hello\n")
