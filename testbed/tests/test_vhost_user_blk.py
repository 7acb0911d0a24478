# SPDX-License-Identifier: GPL-2.0-only
"""What of a source package is unpacked and compiled."""

import io
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from scripts import cache, debian, say
from testbed import vhost_user_blk

# Stands in for the program; includes what the real one's headers do
PROGRAM = """\
#include "config-host.h"
#include "config-poison.h"
#include "own.h"
#include <glib.h>
int main(void) { return CONFIG_LINUX + OWN - 2; }
"""


class Build(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.tar = self.directory / "qemu_1.2.orig.tar.xz"
        for patch in (mock.patch.object(cache, "root", return_value=self.directory),
                      mock.patch.object(debian, "fetch_tar", return_value=self.tar),
                      mock.patch.object(say, "LOGS", self.directory / "log"),
                      mock.patch.object(say, "step")):
            patch.start()
            self.addCleanup(patch.stop)

    def pack(self, **files):
        """Make the tar file of a source with the library's files and FILES."""
        library = "subprojects/libvhost-user"
        files = {"contrib/vhost-user-blk/vhost-user-blk.c": PROGRAM,
                 f"{library}/libvhost-user.c": "", f"{library}/libvhost-user-glib.c": "",
                 "include/own.h": "#define OWN 1\n", "hw/large.c": "", **files}
        with tarfile.open(self.tar, "w:xz") as archive:
            for name, text in files.items():
                member = tarfile.TarInfo(f"qemu-1.2/{name}")
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))

    def test_only_what_is_needed_is_unpacked(self):
        self.pack()
        tree = self.directory / "tree"
        debian.unpack_tar(self.tar, tree, *vhost_user_blk.PARTS)
        self.assertEqual(sorted(path.name for path in tree.iterdir()),
                         ["contrib", "include", "subprojects"])
        debian.unpack_tar(self.tar, tree)
        self.assertTrue((tree / "hw" / "large.c").exists())

    def test_kept_by_version(self):
        self.pack()
        path = vhost_user_blk.build()
        self.assertEqual(path.name, "qemu_1.2")
        self.assertEqual(subprocess.run([path], check=False).returncode, 0)
        self.assertEqual([*path.parent.iterdir()], [path])
        self.tar.unlink()
        self.assertEqual(vhost_user_blk.build(), path)

    def test_one_that_does_not_compile_is_not_kept(self):
        self.pack(**{"include/own.h": "#error not today\n"})
        for _ in range(2):
            with self.assertRaisesRegex(say.Error,
                                        "(?s)building vhost-user-blk failed.*not today"):
                vhost_user_blk.build()
