# SPDX-License-Identifier: GPL-2.0-only
"""Python's own unit tests, as a part of the tests that are counted."""

import unittest

from scripts import say


class Reporter(unittest.TestResult):
    """Hands each unittest's result on to the common count."""

    def __init__(self, results):
        super().__init__()
        self.results = results

    def addSuccess(self, test):
        self.results.ok(test.id())

    def addFailure(self, test, err):
        why = self._exc_info_to_string(err, test)
        # Tests on a machine know logs that tell more
        more = test.logs() if hasattr(test, "logs") else ""
        self.results.fail(test.id(), f"{why}{more}")

    addError = addFailure

    def addSubTest(self, test, subtest, err):
        if err:
            self.results.fail(subtest.id(), self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        self.results.skip(test.id(), reason)

    def addExpectedFailure(self, test, err):
        self.results.ok(test.id())

    def addUnexpectedSuccess(self, test):
        self.results.fail(test.id(), "marked as an expected failure, but it passed")


def python_tests(results, directory, names=()):
    """The unittests below DIRECTORY, or only those called NAMES there."""
    loader = unittest.TestLoader()
    if names:
        package = directory.replace("/", ".")
        suite = loader.loadTestsFromNames([f"{package}.{name}" for name in names])
    else:
        suite = loader.discover(str(say.REPO / directory), top_level_dir=str(say.REPO))
    suite.run(Reporter(results))
