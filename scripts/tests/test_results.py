# SPDX-License-Identifier: GPL-2.0-only
"""Counting, stages and the closing line."""

import contextlib
import io
import unittest

from scripts import say
from scripts.results import Results
from scripts.unittests import Reporter


class Closing(unittest.TestCase):
    """The closing line and the exit status."""

    def setUp(self):
        self.results = Results()
        self.out = io.StringIO()
        redirect = contextlib.redirect_stdout(self.out)
        redirect.__enter__()
        self.addCleanup(redirect.__exit__, None, None, None)

    def closing(self):
        """(exit status, last line)."""
        status = self.results.finish()
        return status, self.out.getvalue().splitlines()[-1]

    def test_all_passed(self):
        self.results.ok("a")
        self.results.ok("b", 3)
        self.assertEqual(self.closing(), (0, "4 passed, 0 failed"))

    def test_one_failed(self):
        self.results.ok("a")
        self.results.fail("b", "because")
        self.results.skip("c", "later")
        self.assertEqual(self.closing(), (1, "1 passed, 1 failed, 1 skipped"))

    def test_nothing_ran(self):
        self.assertEqual(self.closing(), (1, "0 passed, 0 failed"))

    def test_stage_that_cannot_run_is_a_failure_and_the_next_one_runs(self):
        def broken(_):
            raise say.Error("no tool", "get it")

        def crashing(_):
            raise KeyError("x")
        self.results.stage("first", broken)
        self.results.stage("second", crashing)
        self.results.stage("third", lambda results: results.ok("fine"))
        self.assertEqual(self.results.failures, ["first", "second"])
        self.assertEqual(self.closing(), (1, "1 passed, 2 failed"))

    def test_stage_without_a_test_is_a_failure(self):
        self.results.stage("empty", lambda _: None)
        self.assertEqual(self.closing(), (1, "0 passed, 1 failed"))

    def test_unittests_are_counted(self):
        class Inner(unittest.TestCase):
            """Not found by discovery, because it is local."""

            def test_good(self):
                self.assertTrue(True)

            def test_bad(self):
                self.fail("bad")

            def test_absent(self):
                self.skipTest("absent")

            def test_subtests(self):
                for number in (1, 2):
                    with self.subTest(number=number):
                        self.assertEqual(number, 1)
        unittest.defaultTestLoader.loadTestsFromTestCase(Inner).run(Reporter(self.results))
        counts = self.results.passed, self.results.failed, self.results.skipped
        self.assertEqual(counts, (1, 2, 1))

    def test_failure_is_told_with_the_logs_that_the_test_knows(self):
        class Inner(unittest.TestCase):
            """Not found by discovery, because it is local."""

            def test_bad(self):
                self.fail("bad")

            def logs(self):
                """As the tests on a machine with Xen have it."""
                return "the guest's last words"
        unittest.defaultTestLoader.loadTestsFromTestCase(Inner).run(Reporter(self.results))
        self.assertIn("the guest's last words", self.out.getvalue())


if __name__ == "__main__":
    unittest.main()
