# SPDX-License-Identifier: GPL-2.0-only
"""make test-xen: the tests on a machine with Xen, as a stage of their own."""

import argparse

from scripts import say
from scripts.results import Results
from scripts.unittests import python_tests
from testbed.xen import e2e
from testbed.xen.chain import Chain

TITLE = "tests on a machine with Xen"


def run(results, base="mainline", names=()):
    """The stage: all tests, or those called NAMES, below testbed/xen/e2e."""
    e2e.parts = Chain(base)
    say.step("running the tests on machines with Xen (QEMU)")
    try:
        python_tests(results, "testbed/xen/e2e", names)
    finally:
        e2e.stop()


def main(args):
    """The command; ARGS: names of tests, without `testbed.xen.e2e.`."""
    parser = argparse.ArgumentParser(prog="make test-xen", description=__doc__)
    parser.add_argument("--base", default="mainline", help="mainline, lts or a kernel tree")
    parser.add_argument("--build", action="store_true", help="build the machine, test nothing")
    parser.add_argument("names", nargs="*", help="only these, e.g. test_chain.Devices.test_clock")
    options = parser.parse_args(args)
    if options.build:
        Chain(options.base)
        return 0
    results = Results()
    results.stage(TITLE, run, options.base, options.names)
    return results.finish()
