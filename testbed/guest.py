# SPDX-License-Identifier: GPL-2.0-only
"""A User Mode Linux guest: started, told what to do, watched and always ended."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from scripts import say
from testbed.commanded import Commanded, Result

BOOT_SECONDS = 60
HALT_SECONDS = 20


def pin_to_one_cpu():
    """Run on one CPU only: guest and device side wake each other, which is cheapest there.

    Every process of a test chooses the same CPU, the last one it may use, unless
    $TESTBED_CPU names another.
    """
    cpu = int(os.environ.get("TESTBED_CPU", max(os.sched_getaffinity(0))))
    os.sched_setaffinity(0, {cpu})


class Guest(Commanded):
    """One boot of KERNEL with IMAGE; files of the run are kept in DIRECTORY.

    A guest of several CPUS, each a thread, is not kept on one of this machine's.
    """

    def __init__(self, kernel, image, directory, params=(), memory="128M", cpus=1):
        super().__init__()
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
        self.process = None

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
            self.expect("ready", BOOT_SECONDS, "start")
        except BaseException:
            self.kill()
            raise
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def send(self, script):
        self.number += 1
        (self.directory / f"{self.number}.sh").write_text(script + "\n")
        self.line.sendall(f"{self.number}\n".encode())

    def collect(self, script, timeout):
        status = self.expect(f"{self.number} ", timeout, f"finish: {script}")
        output = (self.directory / f"{self.number}.out").read_text(errors="replace")
        return Result(int(status), output)

    def halt(self):
        """Power the guest off; returns the exit status of its process."""
        self.begin("poweroff -f")
        return self.wait(HALT_SECONDS)

    def reboot(self):
        """Restart the guest's kernel; returns when the new one takes commands."""
        self.begin("reboot -f")
        self.expect("ready", BOOT_SECONDS, "restart")

    def wait(self, timeout):
        """Wait for the guest's process to end by itself; returns its exit status."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired as problem:
            raise self.failed(f"still runs after {timeout} s") from problem
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
