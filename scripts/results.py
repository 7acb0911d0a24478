# SPDX-License-Identifier: GPL-2.0-only
"""Counts of what passed and failed, and the line that a run of tests ends with."""

import time

from scripts import say

MOST_LINES = 20


class Results:
    """The results of a run."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []
        self.names = set()      # of tests that passed, as they call themselves

    def ok(self, name, count=1):
        """COUNT tests called NAME passed."""
        self.passed += count
        say.note(f"ok      {name}" + (f" ({count})" if count != 1 else ""))

    def fail(self, name, why, what_to_do=""):
        """The test called NAME failed because of WHY (text)."""
        self.failed += 1
        self.failures.append(name)
        say.note(f"FAILED  {name}")
        for line in [*str(why).splitlines(), *what_to_do.splitlines()]:
            say.note(f"        {line}")

    def skip(self, name, why):
        """The test called NAME was not run."""
        self.skipped += 1
        say.note(f"skipped {name}: {why}")

    def check(self, name, problems):
        """The test called NAME passed if there are no PROBLEMS (lines)."""
        if problems:
            more = [f"and {len(problems) - MOST_LINES} more"] if problems[MOST_LINES:] else []
            self.fail(name, "\n".join([*problems[:MOST_LINES], *more]))
        else:
            self.ok(name)

    def stage(self, name, function, *args):
        """Run function(self, *args); if it cannot run, that is one failure."""
        say.step(name)
        before, started = self.passed + self.failed + self.skipped, time.monotonic()
        try:
            function(self, *args)
        except say.Error as problem:
            self.fail(name, problem, problem.what_to_do)
        except Exception as problem:  # pylint: disable=broad-except
            # The other stages have to run whatever is wrong with this one.
            self.fail(name, f"{type(problem).__name__}: {problem}")
        if self.passed + self.failed + self.skipped == before:
            self.fail(name, "ran no test")
        say.note(f"{name}: {time.monotonic() - started:.0f} s")

    def finish(self):
        """Print the closing line; returns the exit status."""
        if self.failures:
            print("\nfailed:\n" + "\n".join(f"  {name}" for name in self.failures))
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        print(f"\n{self.passed} passed, {self.failed} failed{skipped}", flush=True)
        return 1 if self.failed or not self.passed else 0
