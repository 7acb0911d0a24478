# SPDX-License-Identifier: GPL-2.0-only
"""A User Mode Linux guest: started, told what to do, watched and always ended."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from scripts import say, wait

BOOT_SECONDS = 60
COMMAND_SECONDS = 30
HALT_SECONDS = 20

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


def pin_to_one_cpu():
    """Run on one CPU only: guest and device side wake each other, which is cheapest there.

    Every process of a test chooses the same CPU, the last one it may use, unless
    $TESTBED_CPU names another.
    """
    cpu = int(os.environ.get("TESTBED_CPU", max(os.sched_getaffinity(0))))
    os.sched_setaffinity(0, {cpu})


class Guest:
    """One boot of KERNEL with IMAGE; files of the run are kept in DIRECTORY.

    A guest of several CPUS, each a thread, is not kept on one of this machine's.
    """

    def __init__(self, kernel, image, directory, params=(), memory="128M", cpus=1):
        self.kernel, self.image, self.memory = kernel, image, memory
        self.params = list(params)
        if cpus > 1:
            # With ptrace User Mode Linux has one
            self.params += [f"ncpus={cpus}", "seccomp=on"]
        self.place = pin_to_one_cpu if cpus == 1 else None
        self.directory = Path(directory).resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.console_file = self.directory / "console.log"
        self.number = 0
        self.process = self.line = None
        self.received = b""
        self.awaited = None

    def command_line(self, *more):
        """The command that boots the guest."""
        return [str(self.kernel), f"mem={self.memory}", f"initrd={self.image}",
                f"uml_dir={self.directory}", "umid=uml", "con=null", *more, *self.params]

    def start(self):
        """Boot; returns when the guest takes commands."""
        for old in self.directory.glob("[0-9]*.*"):
            old.unlink()
        self.line, theirs = socket.socketpair()
        with theirs, open(self.console_file, "wb") as console:
            self.process = subprocess.Popen(
                self.command_line("con0=null,fd:1", f"ssl0=fd:{theirs.fileno()}",
                                  f"testbed.run={self.directory}"),
                stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()], start_new_session=True,
                env={**os.environ, "HOME": str(self.directory)},
                preexec_fn=self.place)
        try:
            self._expect("ready", BOOT_SECONDS, "start")
        except BaseException:
            self.kill()
            raise
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def begin(self, script):
        """Start a shell script in the guest; finish() waits for it."""
        self.number += 1
        (self.directory / f"{self.number}.sh").write_text(script + "\n")
        try:
            self.line.sendall(f"{self.number}\n".encode())
        except OSError as problem:
            raise self._failed(f"does not take commands: {problem}") from problem
        self.awaited = script

    def finish(self, timeout=COMMAND_SECONDS):
        """Wait for the script begun last."""
        script, self.awaited = self.awaited, None
        status = self._expect(f"{self.number} ", timeout, f"finish: {script}")
        output = (self.directory / f"{self.number}.out").read_text(errors="replace")
        return Result(int(status), output)

    def run(self, script, timeout=COMMAND_SECONDS):
        """Run a shell script in the guest; returns its Result."""
        self.begin(script)
        return self.finish(timeout)

    def check(self, script, timeout=COMMAND_SECONDS):
        """The output of a shell script that has to succeed in the guest."""
        result = self.run(script, timeout)
        if result.status:
            raise self._failed(f"ended this with exit status {result.status}: {script}\n"
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
            raise self._failed(f"did not get there in {timeout} s: {script}\n{result.output}")
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

    def halt(self):
        """Power the guest off; returns the exit status of its process."""
        self.begin("poweroff -f")
        return self.wait(HALT_SECONDS)

    def reboot(self):
        """Restart the guest's kernel; returns when the new one takes commands."""
        self.begin("reboot -f")
        self._expect("ready", BOOT_SECONDS, "restart")

    def wait(self, timeout):
        """Wait for the guest's process to end by itself; returns its exit status."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired as problem:
            raise self._failed(f"still runs after {timeout} s") from problem
        self.kill()
        return status

    def kill(self):
        """End all of the guest's processes."""
        if self.process:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
        if self.line:
            self.line.close()

    def shell(self):
        """Leave the user in a shell in the guest, on this terminal; returns the exit status."""
        if not sys.stdin.isatty():
            raise say.Error("a shell in the guest needs a terminal",
                            "run this command from an interactive shell")
        saved = subprocess.run(["stty", "-g"], capture_output=True, text=True, check=True).stdout
        try:
            return subprocess.run(self.command_line("con0=fd:0,fd:1", "quiet",
                                                    f"TERM={os.environ.get('TERM', 'linux')}"),
                                  env={**os.environ, "HOME": str(self.directory)},
                                  preexec_fn=self.place, check=False).returncode
        finally:
            subprocess.run(["stty", saved.strip()], check=False)

    def _expect(self, start, timeout, what):
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
                data = self.line.recv(4096)
            except TimeoutError as problem:
                raise self._failed(f"did not {what} (waited {timeout} s)") from problem
            if not data:
                raise self._failed(f"ended before it did {what}")
            self.received += data

    def _failed(self, what):
        return Failed(f"the guest {what}\n  its last console lines ({self.console_file}):\n"
                      f"{say.last_lines(self.console_file)}")
