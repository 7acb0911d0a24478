# SPDX-License-Identifier: GPL-2.0-only
"""A machine of QEMU with functions that virtio-msgd serves: started, told what to do, ended."""

import base64
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from scripts import say
from testbed.guest import Failed, Result, splats
from testbed.qemu.packages import Qemu

BOOT_SECONDS = 90
COMMAND_SECONDS = 40
HALT_SECONDS = 20
CPUS = 2


def function(path):
    """The option for a function at the socket PATH."""
    return json.dumps({"driver": "vfio-user-pci",
                       "socket": {"type": "unix", "path": str(path)}})


def arguments(kernel, initrd, functions, console, line):
    """What QEMU is told. LINE: the descriptor of the socket that commands come from."""
    words = ["-M", "q35,accel=tcg,memory-backend=m", "-smp", CPUS, "-cpu", "max", "-m", "256M",
             "-object", "memory-backend-memfd,id=m,size=256M,share=on",
             "-nodefaults", "-display", "none", "-no-reboot", "-kernel", kernel,
             "-initrd", initrd, "-append", "console=ttyS0 panic=-1 rng_core.default_quality=0",
             "-serial", f"file:{console}",
             "-chardev", f"socket,id=line,fd={line}", "-serial", "chardev:line"]
    for path in functions:
        words += ["-device", function(path)]
    return [str(word) for word in words]


class Machine:
    """One boot with FUNCTIONS (paths of sockets); its files are kept in DIRECTORY."""

    def __init__(self, kernel, initrd, directory, functions):
        self.kernel, self.initrd, self.functions = kernel, initrd, functions
        self.console_file = Path(directory) / "console.log"
        self.log_file = Path(directory) / "qemu.log"
        self.process = self.line = None
        self.received = b""

    def start(self):
        """Boot; returns when the guest takes commands."""
        self.line, theirs = socket.socketpair()
        with theirs, open(self.log_file, "wb") as log:
            command = Qemu().command(Qemu.program, *arguments(
                self.kernel, self.initrd, self.functions, self.console_file, theirs.fileno()))
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, start_new_session=True,
                                            pass_fds=[theirs.fileno()])
        try:
            while self.receive(BOOT_SECONDS, "start") != "ready":
                pass
        except BaseException:
            self.kill()
            raise
        return self

    def receive(self, seconds, what):
        """The next line from the guest."""
        end = time.monotonic() + seconds
        while b"\n" not in self.received:
            self.line.settimeout(max(0.01, end - time.monotonic()))
            try:
                data = self.line.recv(65536)
            except TimeoutError as problem:
                raise self.failed(f"did not {what} (waited {seconds} s)") from problem
            if not data:
                raise self.failed(f"ended before it did {what}")
            self.received += data
        line, _, self.received = self.received.partition(b"\n")
        return line.decode(errors="replace").strip()

    def run(self, script, seconds=COMMAND_SECONDS):
        """Run a shell script in the guest; returns its Result."""
        self.line.sendall(base64.b64encode(script.encode()) + b"\n")
        status, _, output = self.receive(seconds, f"finish: {script}").partition(" ")
        return Result(int(status), base64.b64decode(output).decode(errors="replace"))

    def check(self, script, seconds=COMMAND_SECONDS):
        """The output of a shell script that has to succeed in the guest."""
        result = self.run(script, seconds)
        if result.status:
            raise self.failed(f"ended this with exit status {result.status}: {script}\n"
                              f"{result.output}")
        return result.output

    def failed(self, what):
        """An error with what the guest said last."""
        return Failed(f"the guest {what}\n  its last console lines ({self.console_file}):\n"
                      f"{say.last_lines(self.console_file)}\n{say.last_lines(self.log_file)}")

    def splats(self):
        """The console's lines that say the kernel found itself in error."""
        return splats(self.console_file.read_text(errors="replace"))

    def halt(self):
        """Power the guest off; returns QEMU's exit status."""
        self.line.sendall(base64.b64encode(b"poweroff -f") + b"\n")
        try:
            return self.process.wait(HALT_SECONDS)
        except subprocess.TimeoutExpired as problem:
            raise self.failed(f"still runs after {HALT_SECONDS} s") from problem

    def kill(self):
        """End it at once."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self.line:
            self.line.close()
