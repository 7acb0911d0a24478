# SPDX-License-Identifier: GPL-2.0-only
"""Kernel configurations, and the parsers of what the kernel's tools print."""

import contextlib
import io
import unittest

from scripts import check, kernel, kunit
from scripts.results import Results

CONFIG = """\
CONFIG_A=y
CONFIG_B=m
# CONFIG_C is not set
CONFIG_NAME="x"
"""


class Options(unittest.TestCase):
    """Whether a configuration has what was asked for."""

    def test_met(self):
        self.assertEqual(kernel.unmet('CONFIG_A=y\n# a comment\nCONFIG_NAME="x"\n', CONFIG), [])

    def test_not_set_is_met_by_absence(self):
        self.assertEqual(kernel.unmet("# CONFIG_C is not set\nCONFIG_D=n\n", CONFIG), [])

    def test_unmet(self):
        self.assertEqual(kernel.unmet("CONFIG_B=y\nCONFIG_C=y\nCONFIG_D=y\nCONFIG_A=n\n", CONFIG),
                         ["CONFIG_B=y (is m)", "CONFIG_C=y (is n)", "CONFIG_D=y (is n)",
                          "CONFIG_A=n (is y)"])

    def test_fragment_is_text_or_a_file(self):
        self.assertEqual(kernel.text("CONFIG_A=y"), "CONFIG_A=y\n")
        self.assertIn("CONFIG_VIRTIO_MSG=y\n", kernel.text(check.CONFIGS / "check-um.config"))

    def test_objects_are_counted(self):
        lines = ["  CC      init/main.o", "  LD [M]  a.ko", "  GEN     Makefile", "make[1]: x"]
        self.assertEqual([bool(kernel.BUILT.match(line)) for line in lines],
                         [True, True, False, False])


class Complaints(unittest.TestCase):
    """Which lines of a log are about our files."""

    def test_what_is_listed_is_no_finding_where_it_is(self):
        line = "a.c:55:22: warning: context imbalance in 'virtio_msg_callback' - different"
        self.assertEqual(check.unlisted([line, "other"], "lts"), ["other"])
        self.assertEqual(check.unlisted([line, "other"], "mainline"), [line, "other"])

    def test_only_ours(self):
        log = ("../drivers/virtio/virtio_msg.c:3:4: warning: incorrect type\n"
               "../kernel/fork.c:1:1: warning: something\n"
               "  CC      drivers/virtio/virtio_msg.o\n"
               "drivers/virtio/virtio_msg.c: In function 'f':\n")
        self.assertEqual(check.complaints(log, ["drivers/virtio/virtio_msg.c"]),
                         ["../drivers/virtio/virtio_msg.c:3:4: warning: incorrect type"])


class Kunit(unittest.TestCase):
    """kunit.py's report and the kernel's log."""

    def test_cases_of_nested_groups(self):
        report = {"name": "KUnit Test Group", "test_cases": [], "sub_groups": [
            {"name": "suite", "test_cases": [{"name": "one", "status": "PASS"}], "sub_groups": [
                {"name": "param", "sub_groups": [],
                 "test_cases": [{"name": "two", "status": "FAIL"}]}]}]}
        self.assertEqual(list(kunit.cases(report)),
                         [("suite.one", "PASS"), ("suite.param.two", "FAIL")])

    def test_counting(self):
        results = Results()
        with contextlib.redirect_stdout(io.StringIO()):
            kunit.count(results, [("s.one", "PASS"), ("s.two", "PASS"), ("s.three", "ERROR"),
                                  ("s.four", "SKIP")])
        self.assertEqual((results.passed, results.failed, results.skipped), (2, 1, 1))
        self.assertEqual(results.failures, ["s.three"])

    def test_splats(self):
        log = "ok 1 fine\nWARNING: CPU: 0 PID: 1 at x\nvirtio: warning only\nBUG: KASAN: y\n"
        self.assertEqual(kunit.splats(log), ["WARNING: CPU: 0 PID: 1 at x", "BUG: KASAN: y"])


if __name__ == "__main__":
    unittest.main()
