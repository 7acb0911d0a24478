# SPDX-License-Identifier: GPL-2.0-only
"""A guest that runs shell scripts for the host, which reach it by a serial line."""

import time

from scripts import say, wait

COMMAND_SECONDS = 30

# What the kernel prints when it has found something wrong with itself
SPLATS = ("WARNING:", "BUG:", "Oops", "Kernel panic", "Call Trace", "INFO: task",
          "possible recursive locking", "circular locking", "suspicious RCU",
          "Unable to handle", "general protection", "KASAN", "UBSAN", "refcount_t",
          "sleeping function called", "nobody cared", "Segmentation fault")


def splats(text):
    """The lines of a kernel's log that say it found itself in error."""
    return [line for line in text.splitlines() if any(splat in line for splat in SPLATS)]


class Failed(say.Error):
    """The guest did not do what it was told; the message has its last console lines."""


class Result:
    """What a command in the guest printed, and its exit status."""

    def __init__(self, status, output):
        self.status, self.output = status, output

    def __repr__(self):
        return f"exit status {self.status}:\n{self.output}"


class Commanded:
    """What is done with such a guest.

    How it is started and ended, and how a script gets there and its output back, is the
    matter of those who inherit this. LINE: the socket that the guest has as a serial line.
    """

    console_file = None     # has all that the guest's kernel says

    def __init__(self):
        self.line = self.awaited = None
        self.received = b""

    def send(self, script):
        """Send a script to the guest."""
        raise NotImplementedError

    def collect(self, script, timeout):
        """Wait for the end of the script sent last; returns its Result."""
        raise NotImplementedError

    def begin(self, script):
        """Start a shell script in the guest; finish() waits for it."""
        try:
            self.send(script)
        except OSError as problem:
            raise self.failed(f"does not take commands: {problem}") from problem
        self.awaited = script

    def finish(self, timeout=COMMAND_SECONDS):
        """Wait for the script begun last."""
        script, self.awaited = self.awaited, None
        return self.collect(script, timeout)

    def run(self, script, timeout=COMMAND_SECONDS):
        """Run a shell script in the guest; returns its Result."""
        self.begin(script)
        return self.finish(timeout)

    def check(self, script, timeout=COMMAND_SECONDS):
        """The output of a shell script that has to succeed in the guest."""
        result = self.run(script, timeout)
        if result.status:
            raise self.failed(f"ended this with exit status {result.status}: {script}\n"
                              f"{result.output}")
        return result.output

    def wait_for(self, script, timeout=COMMAND_SECONDS):
        """Repeat a shell script in the guest until it succeeds; returns its output."""
        def succeeded():
            nonlocal result
            result = self.run(script, timeout)
            return result.status == 0

        result = None
        if not wait.until(succeeded, timeout):
            raise self.failed(f"did not get there in {timeout} s: {script}\n{result.output}")
        return result.output

    def console(self):
        """All the guest has said so far."""
        return self.console_file.read_text(errors="replace").replace("\r", "")

    def kernel_log(self, pattern=""):
        """The lines of the kernel's log that contain PATTERN, without their time."""
        lines = self.check("dmesg").splitlines()
        return [line.partition("] ")[2] for line in lines if pattern in line]

    def splats(self):
        """The console's lines that say the kernel found itself in error."""
        return splats(self.console())

    def expect(self, start, timeout, what):
        """Wait for a line that begins with START; returns the rest of it."""
        end = time.monotonic() + timeout
        while True:
            line, newline, rest = self.received.partition(b"\n")
            if newline:
                self.received = rest
                text = line.decode(errors="replace").strip()
                if text.startswith(start.strip()):
                    return text[len(start):]
                continue
            self.line.settimeout(max(0.01, end - time.monotonic()))
            try:
                data = self.line.recv(65536)
            except TimeoutError as problem:
                raise self.failed(f"did not {what} (waited {timeout} s)") from problem
            except ConnectionResetError:
                data = b""
            if not data:
                raise self.failed(f"ended before it did {what}")
            self.received += data

    def failed(self, what):
        """An error with what the guest said last."""
        return Failed(f"the guest {what}\n  its last console lines ({self.console_file}):\n"
                      f"{say.last_lines(self.console_file)}")
