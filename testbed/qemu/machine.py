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
from testbed.commanded import Commanded, Failed, Result
from testbed.qemu.packages import Qemu

# TCG on a machine that others use as well
BOOT_SECONDS = 240
HALT_SECONDS = 20
KVM = "/dev/kvm"
# What QEMU says when it stops a guest for good, and goes on
KVM_ERROR = "KVM internal error"
MEMORY = "512M"
KERNEL_LINE = "console=ttyS0 panic=-1 rng_core.default_quality=0"


def kvm():
    """Whether this user may use the CPU's help here."""
    return os.access(KVM, os.R_OK | os.W_OK)


def function(path, **properties):
    """The option for a function at the socket PATH."""
    return json.dumps({"driver": "vfio-user-pci",
                       "socket": {"type": "unix", "path": str(path)}, **properties})


def arguments(kernel, initrd, console, line, cpus=2, accel="tcg"):
    """What QEMU is told. LINE: the descriptor of the socket that commands come from."""
    return [str(word) for word in (
        "-M", f"q35,accel={accel},memory-backend=m", "-smp", cpus, "-cpu", "max", "-m", MEMORY,
        "-object", f"memory-backend-memfd,id=m,size={MEMORY},share=on",
        "-nodefaults", "-display", "none", "-action", "reboot=shutdown",
        "-kernel", kernel, "-initrd", initrd, "-append", KERNEL_LINE,
        "-serial", f"file:{console}",
        "-chardev", f"socket,id=line,fd={line}", "-serial", "chardev:line")]


class Machine(Commanded):
    """One boot of KERNEL and INITRD; its files are kept in DIRECTORY.

    OPTIONS: more for QEMU, among them the devices. A guest that restarts ends it, unless
    they have `-action reboot=reset`. ACCEL: the CPU's help is used if the
    machine has it ("kvm:tcg"), or not ("tcg").
    """

    def __init__(self, kernel, initrd, directory, options, cpus=2, accel="tcg"):
        super().__init__()
        self.kernel, self.initrd, self.options = kernel, initrd, [*options]
        self.cpus, self.accel = cpus, accel
        self.console_file = Path(directory) / "console.log"
        self.log_file = Path(directory) / "qemu.log"
        self.process = None

    def start(self):
        """Boot; returns when the guest takes commands."""
        self.line, theirs = socket.socketpair()
        self.received = b""
        with theirs, open(self.log_file, "wb") as log:
            command = Qemu().command(
                Qemu.program,
                *arguments(self.kernel, self.initrd, self.console_file, theirs.fileno(),
                           self.cpus, self.accel), *self.options)
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, start_new_session=True,
                                            pass_fds=[theirs.fileno()])
        try:
            self.wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def wait_ready(self):
        """Wait until the guest takes commands, or QEMU has given it up."""
        end = time.monotonic() + BOOT_SECONDS
        while True:
            try:
                self.expect("ready", 1, "start")
                return
            except Failed:
                if time.monotonic() > end or self.process.poll() is not None or self.given_up():
                    raise

    def given_up(self):
        """Whether QEMU has stopped the guest: KVM cannot run it."""
        return KVM_ERROR in self.log_file.read_text(errors="replace")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def send(self, script):
        self.line.sendall(base64.b64encode(script.encode()) + b"\n")

    def collect(self, script, timeout):
        text = self.expect("ended ", timeout, f"finish: {script}")
        status, _, output = text.partition(" ")
        return Result(int(status), base64.b64decode(output).decode(errors="replace"))

    def failed(self, what):
        return Failed(f"{super().failed(what)}\n{say.last_lines(self.log_file)}")

    def halt(self):
        """Power the guest off; returns QEMU's exit status."""
        self.begin("poweroff -f")
        try:
            return self.process.wait(HALT_SECONDS)
        except subprocess.TimeoutExpired as problem:
            raise self.failed(f"still runs after {HALT_SECONDS} s") from problem

    def reboot(self, script="reboot -f"):
        """Start the guest's kernel anew by a script; returns when it takes commands."""
        self.begin(script)
        self.expect("ready", BOOT_SECONDS, "restart")

    def kill(self):
        """End it at once."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self.line:
            self.line.close()
