# SPDX-License-Identifier: GPL-2.0-only
"""make test: every test there is, and one line that says how many passed.

STAGES is the one list of them. Each stage runs whatever came of those before it; one
that cannot run is a failure.
"""

import contextlib
import subprocess
import sys

from scripts import check, kunit, say
from scripts.results import Results
from scripts.unittests import python_tests
from testbed import fuzz, installed, msgd_units
from testbed.xen import test as xen


BUILD_XEN = [sys.executable, "-m", "make", "test-xen", "--build"]


@contextlib.contextmanager
def built_meanwhile():
    """The machine with Xen is built with what the tests in here leave of the CPUs: they wait
    much of the time. What goes wrong with that is seen in the stage that needs it."""
    log = say.log_file("test-xen-build")
    say.note(f"meanwhile the machine with Xen is built, log: {log}")
    with open(log, "w", encoding="utf-8") as file, \
            subprocess.Popen(["nice", "-n19", *BUILD_XEN], cwd=say.REPO, stdin=subprocess.DEVNULL,
                             stdout=file, stderr=subprocess.STDOUT) as process:
        try:
            yield
        except BaseException:
            process.terminate()
            raise
        if process.poll() is None:
            say.note("waiting until the machine with Xen is built")


UML = "end-to-end tests in a UML guest"
STAGES = (
    ("unit tests of scripts/", python_tests, "scripts/tests"),
    ("unit tests of make/", python_tests, "make/tests"),
    ("unit tests of testbed/", python_tests, "testbed/tests"),
    ("unit tests of testbed/xen/", python_tests, "testbed/xen/tests"),
    ("unit tests of testbed/qemu/", python_tests, "testbed/qemu/tests"),
    ("unit tests of bench/", python_tests, "bench/tests"),
    ("unit tests of virtio-msgd", msgd_units.run),
    ("virtio-msgd with a guest in Python", python_tests, "testbed/msgd_tests"),
    ("fuzzers of virtio-msgd", fuzz.test),
    (installed.TITLE, installed.run),
    *((each.title, kunit.run, each) for each in kunit.RUNS),
    (UML, python_tests, "testbed/e2e"),
    ("end-to-end tests in a guest of QEMU", python_tests, "testbed/qemu/e2e"),
    (xen.TITLE, xen.run),
    ("make check", check.run),
)


def main(args):
    """The command: all stages, or those whose title contains an argument."""
    results = Results()
    chosen = [stage for stage in STAGES if not args or any(word in stage[0] for word in args)]
    has_xen = any(title == xen.TITLE for title, *_ in chosen)
    for title, *stage in chosen:
        with built_meanwhile() if has_xen and title == UML else contextlib.nullcontext():
            results.stage(title, *stage)
    return results.finish()
