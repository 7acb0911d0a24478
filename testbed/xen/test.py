# SPDX-License-Identifier: GPL-2.0-only
"""make test-xen: the tests on a machine with Xen."""

import argparse
import unittest

from scripts import say
from testbed.xen import e2e
from testbed.xen.chain import Chain


class Result(unittest.TextTestResult):
    """Counts what passed, and says each test's name before it runs."""

    passed = 0

    def startTest(self, test):
        say.note(test.id().removeprefix("testbed.xen.e2e."))
        super().startTest(test)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


def main(args):
    """The command; ARGS: names of tests, without `testbed.xen.e2e.`."""
    parser = argparse.ArgumentParser(prog="make test-xen", description=__doc__)
    parser.add_argument("--base", default="mainline", help="mainline, lts or a kernel tree")
    parser.add_argument("names", nargs="*", help="only these, e.g. test_chain.Devices.test_clock")
    options = parser.parse_args(args)
    e2e.parts = Chain(options.base)
    say.step("running the tests on a machine with Xen (QEMU)")
    loader = unittest.defaultTestLoader
    if options.names:
        suite = loader.loadTestsFromNames([f"testbed.xen.e2e.{name}" for name in options.names])
    else:
        suite = loader.discover("testbed/xen/e2e", top_level_dir=str(say.REPO))
    try:
        result = unittest.TextTestRunner(resultclass=Result, verbosity=0).run(suite)
    finally:
        e2e.stop()
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    print(f"{result.passed} passed, {failed} failed" +
          (f", {len(result.skipped)} skipped" if result.skipped else ""))
    return 1 if failed or not result.passed else 0
