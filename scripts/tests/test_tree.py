# SPDX-License-Identifier: GPL-2.0-only
"""Laying a small series on small kernels."""

import contextlib
import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from scripts import say, series, tree

MAKEFILE = "VERSION = {}\nPATCHLEVEL = {}\n"
KCONFIG = "one\ntwo\nthree\nfour\n"
DIFF = """\
--- a/drivers/virtio/Kconfig
+++ b/drivers/virtio/Kconfig
@@ -1,4 +1,5 @@
 one
 two
+ours by @NAME@
 three
 four
"""
LTS_DIFF = """\
--- a/drivers/virtio/driver.c
+++ b/drivers/virtio/driver.c
@@ -1 +1 @@
-128 features
+64 features
"""


def write(path, text):
    """Write TEXT to PATH, with its directories."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


class Laying(unittest.TestCase):
    """A repository with two patches, and kernels of the user's own to lay them on."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.top = Path(directory.name).resolve()
        self.repo, self.kernel = self.top / "repo", self.top / "linux"
        self.said = []
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        for patch in (mock.patch.dict(os.environ, {"VIRTIO_MSG_CACHE": str(self.top / "cache")}),
                      mock.patch.object(say, "REPO", self.repo),
                      mock.patch.object(say, "LOGS", self.top / "log"),
                      mock.patch.object(say, "step", self.said.append),
                      mock.patch.object(say, "note", self.said.append),
                      mock.patch.object(series, "SERIES", self.repo / "series"),
                      mock.patch.object(series, "identity", lambda: ("A Tester", "a@invalid"))):
            stack.enter_context(patch)
        self.make_repository()
        self.make_kernel()

    def make_repository(self):
        """A driver, and a change of the kernel's Kconfig."""
        write(self.repo / "series/bases.json", "{}")
        write(self.repo / "series/01-driver/message", "virtio: add a driver\n\nIt drives.\n")
        write(self.repo / "series/01-driver/files", "drivers/virtio/driver.c\n")
        write(self.repo / "series/01-driver/features.lts.diff", LTS_DIFF)
        write(self.repo / "series/02-option/message", "virtio: add an option\n")
        write(self.repo / "series/02-option/build.diff", DIFF)
        write(self.repo / "drivers/virtio/driver.c", "128 features\n")

    def make_kernel(self, version=(7, 3), config="get_extended_features\n"):
        """A kernel tree without git."""
        write(self.kernel / "Makefile", MAKEFILE.format(*version))
        write(self.kernel / "drivers/virtio/Kconfig", KCONFIG)
        write(self.kernel / "include/linux/virtio_config.h", config)

    def git(self, *words, where=None):
        """Run git in WHERE; returns what it printed."""
        return subprocess.run(["git", "-C", where or self.kernel, "-c", "user.name=x", "-c",
                               "user.email=x", *words], check=True, capture_output=True,
                              text=True).stdout.strip()

    def lay(self):
        """The tree of the user's kernel."""
        return tree.lay(str(self.kernel))

    def test_one_commit_for_each_patch(self):
        path = self.lay()
        log = self.git("log", "--format=%an <%ae> %s", where=path).splitlines()
        self.assertEqual(log[:2], ["A Tester <a@invalid> virtio: add an option",
                                   "A Tester <a@invalid> virtio: add a driver"])
        self.assertEqual(len(log), 3)
        self.assertEqual(self.git("log", "-1", "--format=%b", "HEAD^", where=path),
                         "It drives.\n\nSigned-off-by: A Tester <a@invalid>")

    def test_content(self):
        path = self.lay()
        self.assertEqual((path / "drivers/virtio/driver.c").read_text(), "128 features\n")
        self.assertEqual((path / "drivers/virtio/Kconfig").read_text(),
                         "one\ntwo\nours by A Tester\nthree\nfour\n")
        self.assertEqual(self.git("status", "--porcelain", where=path), "")

    def test_a_kernel_without_extended_features_gets_the_lts_variant(self):
        self.make_kernel((6, 12), "get_features\n")
        self.assertEqual((self.lay() / "drivers/virtio/driver.c").read_text(), "64 features\n")

    def test_laying_again_touches_only_what_changed(self):
        path = self.lay()
        names = ["Makefile", "drivers/virtio/Kconfig", "drivers/virtio/driver.c"]
        before = [(path / name).stat().st_mtime_ns for name in names]
        write(self.repo / "drivers/virtio/driver.c", "128 features, better\n")
        self.lay()
        after = [(path / name).stat().st_mtime_ns for name in names]
        self.assertEqual([one == other for one, other in zip(before, after)],
                         [True, True, False])

    def test_laying_the_same_again_does_nothing(self):
        path = self.lay()
        commit = self.git("rev-parse", "HEAD", where=path)
        with mock.patch.object(series, "commit", side_effect=AssertionError):
            self.assertEqual(self.lay(), path)
        self.assertEqual(self.git("rev-parse", "HEAD", where=path), commit)

    def test_the_users_directory_is_not_changed(self):
        before = {file: file.stat().st_mtime_ns for file in self.kernel.rglob("*")}
        self.lay()
        self.assertEqual({file: file.stat().st_mtime_ns for file in self.kernel.rglob("*")},
                         before)

    def test_a_changed_directory_is_followed(self):
        path = self.lay()
        write(self.kernel / "drivers/virtio/Kconfig", KCONFIG + "five\n")
        self.assertEqual(self.lay(), path)
        self.assertTrue((path / "drivers/virtio/Kconfig").read_text().endswith("four\nfive\n"))

    def test_the_users_repository_is_not_changed(self):
        self.git("init", "--quiet")
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", "linux")
        write(self.kernel / "Makefile", MAKEFILE.format(7, 3) + "# not committed\n")
        before = self.git("for-each-ref"), self.git("status", "--porcelain")
        path = self.lay()
        self.assertEqual((self.git("for-each-ref"), self.git("status", "--porcelain")), before)
        self.assertNotIn("not committed", (path / "Makefile").read_text())
        self.assertTrue(any("not committed: they are left out" in line for line in self.said))
        self.git("commit", "--quiet", "--all", "-m", "more")
        self.assertIn("not committed", (self.lay() / "Makefile").read_text())

    def test_a_kernel_that_does_not_fit(self):
        write(self.kernel / "drivers/virtio/Kconfig", "something else\n")
        with self.assertRaisesRegex(say.Error, "patch 02-option does not fit this kernel: "
                                               "build.diff: error: .*drivers/virtio/Kconfig"):
            self.lay()

    def test_a_kernel_that_is_too_old(self):
        self.make_kernel((6, 6))
        with self.assertRaisesRegex(say.Error, "is Linux 6.6; the series needs 6.12 or newer"):
            self.lay()

    def test_a_directory_that_is_no_kernel(self):
        with self.assertRaisesRegex(say.Error, "not the top of a Linux source tree"):
            tree.lay(str(self.repo))

    def test_a_base_that_does_not_exist(self):
        with self.assertRaisesRegex(say.Error, "there is no base kernel 'newest'"):
            tree.lay("newest")

    def test_a_file_that_is_missing(self):
        (self.repo / "drivers/virtio/driver.c").unlink()
        with self.assertRaisesRegex(say.Error, "01-driver carries drivers/virtio/driver.c, which "
                                               "does not exist"):
            self.lay()

    def test_a_patch_without_content(self):
        write(self.repo / "series/03-empty/message", "virtio: nothing\n")
        with self.assertRaisesRegex(say.Error, "03-empty carries nothing"):
            self.lay()


class PinnedVersions(unittest.TestCase):
    """Which of Debian's packages becomes a base."""

    PINNED = {"lts": {"package": "linux-source-6.12", "version": "6.12.10-1",
                      "suites": ["old-security", "new"], "series": "linux-source-6.12"}}

    def find(self, there):
        """What is chosen when Debian has THERE: {suite: {package: [versions]}}."""
        self.said = []
        with mock.patch.object(tree, "bases", lambda: self.PINNED), \
                mock.patch.object(say, "note", self.said.append), \
                mock.patch("scripts.debian.names", lambda prefix, suite: [
                    name for name in there.get(suite, {}) if name.startswith(prefix)]), \
                mock.patch("scripts.debian.versions",
                           lambda package, suite: there.get(suite, {}).get(package, [])):
            return tree.find_source("lts")

    def test_pinned_version(self):
        there = {"old-security": {"linux-source-6.12": ["6.12.12-1", "6.12.10-1"]}}
        self.assertEqual(self.find(there), ("linux-source-6.12", "6.12.10-1", "old-security"))
        self.assertEqual(self.said, [])

    def test_newest_in_place_of_one_that_is_gone(self):
        there = {"old-security": {"linux-source-6.12": ["6.12.9-1"]},
                 "new": {"linux-source-6.12": ["6.12.100-1", "6.12.12-1"],
                         "linux-source-6.12-extra": ["9"]}}
        self.assertEqual(self.find(there), ("linux-source-6.12", "6.12.100-1", "new"))
        self.assertEqual(self.said, [
            "lts: linux-source-6.12 6.12.10-1, the version last tested, is gone from Debian; "
            "using linux-source-6.12 6.12.100-1 instead"])

    def test_none(self):
        with self.assertRaisesRegex(say.Error, "Debian has no linux-source-6.12"):
            self.find({})


class OurSeries(unittest.TestCase):
    """What is in series/."""

    def test_every_patch_is_complete(self):
        every = {path.parent.name for path in series.SERIES.glob("[0-9]*/message")}
        used = set()
        for kind in series.KINDS:
            for patch in series.patches(kind):
                used.add(patch.name)
                for name in patch.files:
                    self.assertTrue((say.REPO / name).is_file(), f"{patch.name}: {name}")
                self.assertLessEqual(len(patch.subject), 75, patch.name)
        self.assertEqual(used, every)

    def test_every_kernel_file_is_in_the_series(self):
        listed = subprocess.run(["git", "-C", say.REPO, "ls-files", "arch", "drivers", "include",
                                 "Documentation", "tools"], capture_output=True, text=True,
                                check=True).stdout.split()
        for kind in series.KINDS:
            self.assertEqual(sorted(series.own_files(kind)), sorted(listed))


if __name__ == "__main__":
    unittest.main()
