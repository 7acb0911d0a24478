# SPDX-License-Identifier: GPL-2.0-only
"""What the user sees: steps, how far a long one is, and errors.

Every command of this project talks through this module. A step is one line; a
long step repeats its line with how far it is. What a program printed goes to a
log file, and the user sees of it only the end, and only if it failed.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
LOGS = REPO / "out" / "log"
SECONDS_BETWEEN_LINES = 10
LAST_LINES = 15
ERROR = re.compile(r"\berror:|^E: |undefined reference|No rule to make", re.IGNORECASE)


class Error(Exception):
    """Something the user has to know: what is wrong and what to do about it."""

    def __init__(self, wrong, what_to_do=""):
        super().__init__(wrong)
        self.what_to_do = what_to_do


def step(text):
    """One line: this is what happens now."""
    print(f"* {text}", flush=True)


def note(text):
    """One line that belongs to the step before it."""
    print(f"  {text}", flush=True)


def error(problem):
    """Print an Error (or any exception) for the user."""
    print(f"error: {problem}", file=sys.stderr)
    if getattr(problem, "what_to_do", ""):
        print(f"       {problem.what_to_do}", file=sys.stderr)
    sys.stderr.flush()


def main(function, *args):
    """Run function(*args) and return an exit status; an Error becomes status 1."""
    try:
        return function(*args) or 0
    except Error as problem:
        error(problem)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    return 1


class Progress:
    """Says how far a long step is, at most every few seconds."""

    def __init__(self, what, total=None):
        self.what = what
        self.total = total
        self.started = self.last = time.monotonic()

    def at(self, count, unit=""):
        """The step has done COUNT (of total) so far."""
        now = time.monotonic()
        if now - self.last < SECONDS_BETWEEN_LINES:
            return
        self.last = now
        of_total = f" of {self.total}" if self.total else ""
        unit = f" {unit}" if unit else ""
        note(f"{self.what}: {count}{of_total}{unit}, {now - self.started:.0f} s")


def log_file(name):
    """The path of the log called NAME, in a directory that exists."""
    LOGS.mkdir(parents=True, exist_ok=True)
    return LOGS / f"{name}.log"


def last_lines(log):
    """What a failed command's log says: its errors, then its end; indented, as text."""
    lines = Path(log).read_text(errors="replace").splitlines()
    errors = [line for line in lines[:-LAST_LINES] if ERROR.search(line)][:LAST_LINES]
    return "\n".join(f"  | {line}" for line in [*errors, *lines[-LAST_LINES:]])


def run(command, log, what=None, on_line=None, what_to_do="", check=True, **popen):
    """Run COMMAND with its output in the log file called LOG.

    on_line(line) is called for each line of output as it comes. When the command
    fails, Error says WHAT failed and shows the last lines, unless CHECK is false.
    Returns the exit status.
    """
    command = [str(word) for word in command]
    path = log_file(log)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"$ {' '.join(command)}\n")
        file.flush()
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       text=True, errors="replace", **popen)
        except FileNotFoundError as problem:
            raise Error(f"cannot start {command[0]}: {problem}", what_to_do) from problem
        with process:
            for line in process.stdout:
                file.write(line)
                file.flush()
                if on_line:
                    on_line(line.rstrip("\n"))
    if process.returncode and check:
        raise Error(f"{what or command[0]} failed (exit status {process.returncode}), "
                    f"log: {path}\n{last_lines(path)}", what_to_do)
    return process.returncode


def output(command, what_to_do="", **popen):
    """Run a short command and return what it printed."""
    command = [str(word) for word in command]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, errors="replace", check=False, **popen)
    except FileNotFoundError as problem:
        raise Error(f"cannot start {command[0]}: {problem}", what_to_do) from problem
    if done.returncode:
        raise Error(f"{' '.join(command)} failed: {done.stderr.strip() or done.stdout.strip()}",
                    what_to_do)
    return done.stdout
