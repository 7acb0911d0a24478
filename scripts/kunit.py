# SPDX-License-Identifier: GPL-2.0-only
"""make kunit: the KUnit tests in User Mode Linux, with the kernel's own runner."""

import json
import os
import re

from scripts import cache, kernel, say, tree
from scripts.results import Results

KUNIT = "tools/testing/kunit/kunit.py"
TESTS = "drivers/virtio"
DEBUG = "tools/testing/kunit/configs/virtio_msg.config"
# (title, base, further configurations): what `make test` runs
RUNS = (
    ("KUnit, mainline", "mainline", ()),
    ("KUnit, lts", "lts", ()),
    ("KUnit, mainline with KASAN, lockdep and DEBUG_ATOMIC_SLEEP", "mainline", (DEBUG,)),
)
# 6.12's runner turns on PCI over virtio, which warns unless it is told a device ID.
OPTIONS = {"lts": ("--kconfig_add=CONFIG_UML_PCI_OVER_VIRTIO_DEVICE_ID=1234",)}
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


def run(results, base, configs=()):
    """Run the tests on BASE with CONFIGS on top of their own configuration."""
    kernel.install_tools("um")
    source = tree.lay(base)
    name = "kunit-debug" if configs else "kunit"
    build = cache.directory("build", source.name, name)
    log, report, console = f"{name}-{source.name}", build / "report.json", build / "test.log"
    options = [f"--build_dir={build}", "--make_options=CC=ccache gcc",
               "--make_options=HOSTCC=ccache gcc",
               *(f"--kunitconfig={config}" for config in (TESTS, *configs)),
               *OPTIONS.get(base, ())]
    with cache.lock(f"build-{source.name}-{name}"), tree.reading(source):
        say.run([KUNIT, "config", *options], f"{log}-config", "kunit.py config", cwd=source,
                env=kernel.environment())
        # kunit.py would build it too, but without saying how far it is.
        kernel.compile_kernel(source, build, "um", ["all"], log=f"{log}-build",
                              what="building the tests")
        for old in (report, console):
            old.unlink(missing_ok=True)
        status = say.run([KUNIT, "run", f"--jobs={os.cpu_count()}", "--timeout=600",
                          f"--json={report}", *options], log, check=False, cwd=source,
                         env=kernel.environment())
        found = list(cases(json.loads(report.read_text()))) if report.exists() else []
        text = console.read_text(errors="replace") if console.exists() else ""
    if not found:
        raise say.Error(f"kunit.py ran no test (exit status {status}), log: "
                        f"{say.log_file(log)}\n{say.last_lines(say.log_file(log))}")
    count(results, found)
    results.check("the kernel's log has no complaint", splats(text))
    if status and not any(each not in ("PASS", "SKIP") for _, each in found):
        results.fail("kunit.py", f"exit status {status}, log: {say.log_file(log)}")


def count(results, found):
    """Add (name, status) pairs to RESULTS, those that passed by suite."""
    passed = {}
    for name, status in found:
        if status == "PASS":
            suite = name.rpartition(".")[0]
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
    for title, base, configs in RUNS:
        if not args or base in args:
            results.stage(title, run, base, configs)
    return results.finish()
