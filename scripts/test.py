# SPDX-License-Identifier: GPL-2.0-only
"""make test: every test there is, and one line that says how many passed.

STAGES is the one list of them. Each stage runs whatever came of those before it; one
that cannot run is a failure.
"""

import contextlib
import json
import subprocess
import sys
import unittest

from scripts import check, fuzz, kunit, say
from scripts.results import Results


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


def xen_tests(results):
    """The tests on a machine with Xen."""
    from testbed.xen import test  # pylint: disable=import-outside-toplevel
    test.run(results)


def msgd_tests(results):
    """virtio-msgd's own unit tests, by meson, with the address sanitizer."""
    from testbed import msgd  # pylint: disable=import-outside-toplevel
    with msgd.build_directory(sanitize=True) as directory:
        log = directory / "meson-logs" / "testlog.json"
        log.unlink(missing_ok=True)
        status = say.run(["meson", "test", "-C", directory, "--print-errorlogs"], "meson-test",
                         check=False)
        if not log.exists():
            raise say.Error(f"virtio-msgd's tests did not build or run:\n"
                            f"{say.last_lines(say.log_file('meson-test'))}",
                            f"log: {say.log_file('meson-test')}")
        found = [json.loads(line) for line in log.read_text().splitlines()]
    count_meson(results, found)
    if status and not any(each["result"] != "OK" for each in found):
        results.fail("meson test", f"exit status {status}, see {say.log_file('meson-test')}")


def count_meson(results, found):
    """Add meson's records of tests to RESULTS."""
    for each in found:
        if each["result"] == "OK":
            results.ok(f"virtio-msgd: {each['name']}")
        elif each["result"] == "SKIP":
            results.skip(f"virtio-msgd: {each['name']}", "by the test itself")
        else:
            results.fail(f"virtio-msgd: {each['name']}", each.get("stdout", "")[-3000:]
                         + each.get("stderr", "")[-3000:])


BUILD_XEN = [sys.executable, "-m", "scripts", "test-xen", "--build"]


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
XEN = "tests on a machine with Xen"
STAGES = (
    ("unit tests of scripts/", python_tests, "scripts/tests"),
    ("unit tests of testbed/", python_tests, "testbed/tests"),
    ("unit tests of testbed/xen/", python_tests, "testbed/xen/tests"),
    ("unit tests of bench/", python_tests, "bench/tests"),
    ("unit tests of virtio-msgd", msgd_tests),
    ("virtio-msgd with a guest in Python", python_tests, "testbed/msgd_tests"),
    ("fuzzers of virtio-msgd", fuzz.test),
    *((each.title, kunit.run, each) for each in kunit.RUNS),
    (UML, python_tests, "testbed/e2e"),
    (XEN, xen_tests),
    ("make check", check.run),
)


def main(args):
    """The command: all stages, or those whose title contains an argument."""
    results = Results()
    chosen = [stage for stage in STAGES if not args or any(word in stage[0] for word in args)]
    xen = any(title == XEN for title, *_ in chosen)
    for title, *stage in chosen:
        with built_meanwhile() if xen and title == UML else contextlib.nullcontext():
            results.stage(title, *stage)
    return results.finish()
