# SPDX-License-Identifier: GPL-2.0-only
"""make kunit: the KUnit tests in User Mode Linux, with the kernel's own runner."""

import json
import os
import re
from typing import NamedTuple

from scripts import cache, kernel, say, tree
from scripts.results import Results

KUNIT = "tools/testing/kunit/kunit.py"
TESTS = "drivers/virtio"
DEBUG = "--kunitconfig=tools/testing/kunit/configs/virtio_msg.config"
# User Mode Linux has suspend with one CPU only.
TWO_CPUS = ("--kconfig_add=CONFIG_SMP=y", "--kconfig_add=CONFIG_SUSPEND=n")
# 6.12's runner turns on PCI over virtio, which warns unless it is told a device ID.
DEVICE_ID = "--kconfig_add=CONFIG_UML_PCI_OVER_VIRTIO_DEVICE_ID=1234"


class Run(NamedTuple):
    """One of the runs that `make test` makes."""
    title: str
    base: str
    build: str  # name of the build directory
    options: tuple = ()  # of kunit.py, all its commands
    kernel_args: tuple = ()
    says: str = ""  # what the kernel's log has to contain


RUNS = (
    Run("KUnit, lts with KASAN, lockdep and DEBUG_ATOMIC_SLEEP", "lts", "kunit-debug",
        (DEBUG, DEVICE_ID)),
    Run("KUnit, mainline with the same on two CPUs", "mainline", "kunit-smp", (DEBUG, *TWO_CPUS),
        ("ncpus=2", "seccomp=on"), "smp: Brought up 1 node, 2 CPUs"),
)
# What a kernel prints when it finds itself in error
SPLAT = re.compile(r"BUG: |WARNING: |INFO: .*(lock|hung|sleep)|KASAN: |UBSAN: |Oops|"
                   r"Kernel panic|possible recursive|circular locking|Call Trace:")


def splats(log):
    """The lines of a kernel log in which the kernel says that it is in error."""
    return [line for line in log.splitlines() if SPLAT.search(line)]


def cases(group, path=""):
    """(name, status) of every test case in kunit.py's JSON, whatever the nesting."""
    name = f"{path}{group['name']}"
    for case in group.get("test_cases", ()):
        yield f"{name}.{case['name']}", case["status"]
    for inner in group.get("sub_groups", ()):
        yield from cases(inner, "" if name == "KUnit Test Group" else f"{name}.")


def options(what, build):
    """What all commands of kunit.py are told for a Run."""
    return [f"--build_dir={build}", "--make_options=CC=ccache gcc",
            "--make_options=HOSTCC=ccache gcc", f"--kunitconfig={TESTS}", *what.options]


def run_tests(what):
    """Build and run; returns kunit.py's exit status, its report (or None), the kernel's log
    and kunit.py's own."""
    source, name = tree.lay(what.base), what.build
    build = cache.directory("build", source.name, name)
    report, console, log = build / "report.json", build / "test.log", f"{name}-{source.name}"
    with cache.lock(f"build-{source.name}-{name}"), tree.reading(source):
        say.run([KUNIT, "config", *options(what, build)], f"{log}-config", "kunit.py config",
                cwd=source, env=kernel.environment())
        # kunit.py would build it too, but without saying how far it is.
        kernel.compile_kernel(source, build, "um", ["all"], log=f"{log}-build",
                              what="building the tests")
        for old in (report, console):
            old.unlink(missing_ok=True)
        status = say.run([KUNIT, "run", f"--jobs={os.cpu_count()}", "--timeout=600",
                          f"--json={report}", *options(what, build),
                          *(f"--kernel_args={each}" for each in what.kernel_args)],
                         log, check=False, cwd=source, env=kernel.environment())
        return (status, json.loads(report.read_text()) if report.exists() else None,
                console.read_text(errors="replace") if console.exists() else "",
                say.log_file(log))


def run(results, what):
    """Make a Run."""
    kernel.install_tools("um")
    status, report, console, log = run_tests(what)
    found = list(cases(report)) if report else []
    if not found:
        raise say.Error(f"kunit.py ran no test (exit status {status}), log: {log}\n"
                        f"{say.last_lines(log)}")
    count(results, found)
    results.check("the kernel's log has no complaint", splats(console))
    if what.says not in console:
        results.fail("the kernel's log", f"lacks: {what.says}")
    if status and not any(each not in ("PASS", "SKIP") for _, each in found):
        results.fail("kunit.py", f"exit status {status}, log: {log}")


def count(results, found):
    """Add (name, status) pairs to RESULTS, those that passed by suite."""
    passed = {}
    for name, status in found:
        if status == "PASS":
            suite = name.rpartition(".")[0]
            # Of one with parameters the test is what is above them
            results.names |= {name, suite}
            passed[suite] = passed.get(suite, 0) + 1
        elif status == "SKIP":
            results.skip(name, "by the test itself")
        else:
            results.fail(name, f"kunit.py says {status}")
    for suite, number in passed.items():
        results.ok(suite, number)


def main(args):
    """The command: all runs, or those on the bases named."""
    results = Results()
    for each in RUNS:
        if not args or each.base in args:
            results.stage(each.title, run, each)
    return results.finish()
