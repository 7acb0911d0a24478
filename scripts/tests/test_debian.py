# SPDX-License-Identifier: GPL-2.0-only
"""Mirrors, versions and what is installed. No network."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

from scripts import cache, debian, say

PRINTED = """\
'http://other.invalid/packages/dists/nodistro/InRelease' other_InRelease 0
'http://mirror.invalid/debian/dists/bookworm/InRelease' mirror_bookworm_InRelease 0
'http://mirror.invalid/debian/dists/bookworm-updates/InRelease' mirror_updates_InRelease 0
'http://mirror.invalid/sec/dists/bookworm-security/InRelease' mirror_security_InRelease 0
'http://mirror.invalid/debian/dists/bookworm/main/binary-amd64/Packages.xz' mirror_Packages 0
"""


class Mirrors(unittest.TestCase):
    """The mirror comes from what apt itself would fetch."""

    def setUp(self):
        self.mirrors = debian.parse_mirrors(PRINTED)

    def test_parse(self):
        self.assertEqual(self.mirrors, {
            "nodistro": "http://other.invalid/packages",
            "bookworm": "http://mirror.invalid/debian",
            "bookworm-updates": "http://mirror.invalid/debian",
            "bookworm-security": "http://mirror.invalid/sec"})

    def test_other_suites_are_where_the_release_is(self):
        for suite in ("sid", "trixie", "trixie-backports"):
            self.assertEqual(debian.choose_mirror(self.mirrors, suite),
                             "http://mirror.invalid/debian")

    def test_security_suites_are_where_security_is(self):
        self.assertEqual(debian.choose_mirror(self.mirrors, "trixie-security"),
                         "http://mirror.invalid/sec")

    def test_security_without_a_configured_one(self):
        self.assertEqual(debian.choose_mirror({"trixie": "http://mirror.invalid/debian"},
                                              "bookworm-security"),
                         "http://mirror.invalid/debian-security")

    def test_no_debian_mirror_is_an_error(self):
        with mock.patch.object(say, "output", return_value=PRINTED.splitlines()[0]):
            with self.assertRaisesRegex(say.Error, "not configured with a Debian mirror"):
                debian.mirror("sid")


class Packages(unittest.TestCase):
    """What is there already."""

    def test_missing(self):
        wanted = ["dpkg", f"libc6:{debian.host_arch()}", "no-such-package", "libc6:no-such-arch"]
        self.assertEqual(debian.missing(wanted), ["no-such-package", "libc6:no-such-arch"])

    def test_nothing_missing_runs_nothing(self):
        with mock.patch.object(say, "run", side_effect=AssertionError):
            debian.install(["dpkg"])

    def test_newest_is_by_debian_order(self):
        self.assertEqual(debian.newest(["6.12.9-1", "6.12.117-1~deb12u1", "6.12.117-1~deb12u2"]),
                         "6.12.117-1~deb12u2")

    def test_cached_package_is_found_by_version(self):
        with tempfile.TemporaryDirectory() as directory, \
                mock.patch.object(cache, "root", return_value=Path(directory)):
            suite = debian.Suite("sid", "amd64")
            for name in ("tool_1%3a2.0-1_all.deb", "toolbox_3_amd64.deb"):
                (suite.debs / name).touch()
            self.assertEqual(suite.cached("tool").name, "tool_1%3a2.0-1_all.deb")
            self.assertEqual(suite.cached("tool=1:2.0-1").name, "tool_1%3a2.0-1_all.deb")
            self.assertIsNone(suite.cached("tool=1:2.0-2"))
            self.assertIsNone(suite.cached("box"))

    def test_tar_of_a_source_is_fetched_once(self):
        def fetch(suite, command, packages, _):
            """Stands in for apt."""
            self.assertIn("--tar-only", command)
            (suite.debs / f"{packages[0]}_1.2+ds.orig.tar.xz").touch()

        with tempfile.TemporaryDirectory() as directory, \
                mock.patch.object(cache, "root", return_value=Path(directory)), \
                mock.patch.object(say, "step"), \
                mock.patch.object(debian.Suite, "apt", autospec=True, side_effect=fetch) as apt:
            for _ in range(2):
                self.assertEqual(debian.fetch_tar("tool", "sid").name, "tool_1.2+ds.orig.tar.xz")
            self.assertEqual(apt.call_count, 1)

    def test_lists_that_did_not_arrive_are_an_error(self):
        with tempfile.TemporaryDirectory() as directory, \
                mock.patch.object(cache, "root", return_value=Path(directory)), \
                mock.patch.object(say, "LOGS", Path(directory) / "log"), \
                mock.patch.object(say, "note"), \
                mock.patch.object(debian, "mirror", return_value="file:/nowhere"):
            with self.assertRaisesRegex(say.Error, "cannot update the package lists of sid"):
                debian.Suite("sid", "amd64").update()


if __name__ == "__main__":
    unittest.main()
