# SPDX-License-Identifier: GPL-2.0-only
"""QEMU with Xen and Dom0 in it, and a shell in Dom0 to run commands with."""

import select
import shlex
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from scripts import say, wait

KERNEL_ADDRESS = 0x50000000
INITRD_ADDRESS = 0x58000000
PORT = "dom0.shell"
BOOT_SECONDS = 120
XEN_OPTIONS = "dom0_mem=1G,max:1G dom0_max_vcpus={vcpus} console=dtuart bootscrub=0"
DOM0_OPTIONS = "console=hvc0 rdinit=/init loglevel=5 dom0.{mode}"


class Failed(say.Error):
    """A command in Dom0 or in a guest that did not do what it should."""


def qemu(hypervisor, kernel, initrd, shell=None, vcpus=1):
    """QEMU's command line: Dom0's shell on the socket SHELL, or on the terminal."""
    mode = "shell" if shell else "prompt"
    command = [
        "qemu-system-aarch64", "-M", "virt,virtualization=on,gic-version=3",
        "-cpu", "cortex-a57", "-smp", str(vcpus), "-m", "3G", "-display", "none",
        "-no-reboot", "-nic", "none",
        "-kernel", hypervisor, "-append", XEN_OPTIONS.format(vcpus=vcpus),
        "-device", f"guest-loader,addr={KERNEL_ADDRESS:#x},kernel={kernel},"
                   f"bootargs={DOM0_OPTIONS.format(mode=mode)}",
        "-device", f"guest-loader,addr={INITRD_ADDRESS:#x},initrd={initrd}",
        # An I2C bus for Dom0, "radeonfb dvi", with a DS1338 on it
        "-device", "ati-vga,model=rv100,romfile=",
        "-device", "ds1338,bus=ati-vga.ddc,address=0x68",
    ]
    if shell:
        command += ["-device", "virtio-serial-pci,romfile=",
                    "-chardev", f"socket,id=shell,path={shell},server=on,wait=off",
                    "-device", f"virtserialport,chardev=shell,name={PORT}", "-serial", "stdio"]
    else:
        command += ["-serial", "mon:stdio"]
    return [str(word) for word in command]


class Machine:
    """A running machine. run() runs a command in Dom0; leaving `with` ends QEMU."""

    def __init__(self, hypervisor, kernel, initrd, log, vcpus=1):
        self.directory = tempfile.TemporaryDirectory(prefix="virtio-msg-xen-")
        self.log = say.log_file(log)
        self.number = 0
        path = Path(self.directory.name) / "shell"
        command = qemu(hypervisor, kernel, initrd, path, vcpus)
        with open(self.log, "w", encoding="utf-8") as file:
            file.write(f"$ {shlex.join(command)}\n")
            file.flush()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file,
                                            stderr=subprocess.STDOUT)
        try:
            self.shell = self.connect(path)
            # There is no clock in it but the DS1338, which is shown later
            self.run(f"date -us @{time.time():.0f}", BOOT_SECONDS)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def connect(self, path):
        """QEMU's end of Dom0's shell."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            shell = socket.socket(socket.AF_UNIX)
            try:
                shell.connect(str(path))
                return shell
            except OSError:
                shell.close()
                time.sleep(0.05)
        raise Failed(f"QEMU did not start, log: {self.log}\n{say.last_lines(self.log)}")

    def run(self, command, seconds=30, check=True):
        """Run a shell command in Dom0; returns what it printed (with check=False: and
        its exit status)."""
        self.number += 1
        mark = f"--{self.number}--"
        line = f"{{ {command}\n}} 2>&1 </dev/null; echo {mark}$?{mark}\n"
        try:
            self.shell.sendall(line.encode())
        except OSError as problem:
            raise Failed(f"the machine has ended before `{command}`: {problem}") from problem
        text = self.receive(mark, seconds, command)
        output, status = text.split(mark)[:2]
        if not check:
            return output, int(status)
        if status != "0":
            raise Failed(f"in Dom0, `{command}` failed (exit status {status}):\n{output}"
                         f"log: {self.log}")
        return output

    def answers(self):
        """Whether Dom0's shell does."""
        try:
            self.run("true")
        except Failed:
            return False
        return True

    def receive(self, mark, seconds, command):
        """Read from the shell until MARK came twice."""
        deadline = time.monotonic() + seconds
        data = b""
        while data.count(mark.encode()) < 2:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.shell], [], [], left)[0]:
                raise Failed(f"Dom0 did not answer `{command}` within {seconds} s, "
                             f"log: {self.log}\n{say.last_lines(self.log)}")
            more = self.shell.recv(65536)
            if not more:
                raise Failed(f"the machine went away during `{command}`, log: {self.log}\n"
                             f"{say.last_lines(self.log)}")
            data += more
        return data.decode(errors="replace")

    def wait(self, command, seconds, what):
        """Run COMMAND in Dom0 until it succeeds; returns what it printed then."""
        def succeeded():
            nonlocal output
            output, status = self.run(command, check=False)
            return status == 0

        output = ""
        if not wait.until(succeeded, seconds, 0.2):
            raise Failed(f"{what} did not happen within {seconds} s "
                         f"(`{command}` in Dom0): {output}\nlog: {self.log}")
        return output

    def close(self):
        """End QEMU."""
        if hasattr(self, "shell"):
            self.shell.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.directory.cleanup()
