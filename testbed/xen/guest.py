# SPDX-License-Identifier: GPL-2.0-only
"""Guests: made by xl in Dom0, and commands run on their consoles."""

import shlex
from pathlib import Path

from scripts import wait
from testbed.xen.machine import Failed

CONFIG = Path(__file__).resolve().parent / "domu.conf"
CONSOLE = "/var/log/xen/console/guest-{name}.log"
BOOT_SECONDS = 60


def configuration(name="domu", **changes):
    """domu.conf with another name and other values: CHANGES are Python values of
    its settings, None removes one."""
    settings = {"name": name, **changes}
    lines = [line for line in CONFIG.read_text().splitlines()
             if line.split("=")[0].strip() not in settings]
    for key, value in settings.items():
        if isinstance(value, list):
            lines.append(f"{key} = [ {', '.join(quoted(word) for word in value)} ]")
        elif value is not None:
            lines.append(f"{key} = {quoted(value)}")
    return "\n".join(lines) + "\n"


def quoted(value):
    """A value as xl.cfg wants it."""
    return f'"{value}"' if isinstance(value, str) else str(value)


def virtio(device_id, grants=1):
    """An entry of the setting `virtio`: a device with this virtio device ID."""
    return f"type=virtio,device{device_id:x}, transport=mmio, grant_usage={grants}"


class Guest:
    """A guest on MACHINE. It is created by start() and ended by destroy()."""

    def __init__(self, machine, name="domu", **changes):
        self.machine = machine
        self.name = name
        self.number = 0
        self.config = f"/root/{name}.conf"
        self.console = CONSOLE.format(name=name)
        text = configuration(name, **changes)
        machine.run(f"printf %s {shlex.quote(text)} >{self.config}")

    def start(self, until_ready=True):
        """xl create; returns when the guest's shell answers."""
        self.machine.run(f"rm -f {self.console}; xl create -q {self.config}", 60)
        if until_ready:
            self.ready()
        return self

    def ready(self):
        """Wait for the guest's shell."""
        self.machine.wait(f"grep -q '^guest: up' {self.console}", BOOT_SECONDS,
                          f"the boot of guest {self.name}")
        self.run("true")

    def reboot(self):
        """Let it reboot itself; returns when the shell answers again, of another domain."""
        former = self.domid
        self.machine.run(f": >{self.console}")
        self.type("reboot -f")
        self.machine.wait(f"id=$(xl domid {self.name} 2>/dev/null) && test $id != {former}", 30,
                          "the guest's reboot")
        self.ready()

    @property
    def domid(self):
        """Its number."""
        return int(self.machine.run(f"xl domid {self.name}"))

    def log(self):
        """What its console has shown."""
        return self.machine.run(f"cat {self.console}").replace("\r", "")

    def typing(self, text, then="true"):
        """A command for Dom0 that types TEXT and return on the console and runs THEN,
        which can read what that shows."""
        return (f"tty=$(xenstore-read /local/domain/{self.domid}/console/tty) && "
                f"{{ printf '%s\\n' {shlex.quote(text)} >$tty && {then}; }} <$tty")

    def type(self, text):
        """Type TEXT and return on its console."""
        self.machine.run(self.typing(text))

    def run(self, command, seconds=30, check=True):
        """Run a shell command on its console; returns what that printed (with
        check=False: and its exit status)."""
        self.number += 1
        mark = f"={self.number}="
        # The marks are put together by the shell: its echo of the command has none. And
        # Dom0 sleeps until the last one comes: its work would take the guest's time.
        shown, failed = self.machine.run(self.typing(
            f"echo -n '={self.number}''=' ; {{ {command}\n}} ; echo '={self.number}'\"=$?=\"",
            f"timeout {seconds} awk '{{ print }} /{mark}[0-9]+=/ {{ exit }}'"),
            seconds + 10, check=False)
        shown = shown.replace("\r", "")
        if failed or shown.count(mark) < 2:
            raise Failed(f"guest {self.name} did not answer `{command}` within {seconds} s; "
                         f"its console ends:\n{self.log()[-1500:]}")
        output, status = shown.partition(mark)[2].split(mark)[:2]
        status = int(status.partition("=")[0])
        if not check:
            return output, status
        if status:
            raise Failed(f"in guest {self.name}, `{command}` failed (exit status {status}):\n"
                         f"{output}")
        return output

    def wait(self, command, seconds, what):
        """Run COMMAND in the guest until it succeeds."""
        self.wait_until(lambda: self.run(command, check=False)[1] == 0, seconds,
                        f"{what} (`{command}`)")

    def wait_until(self, condition, seconds, what):
        """Wait until CONDITION(), about this guest, is true."""
        if not wait.until(condition, seconds, 0.2):
            raise Failed(f"{what} did not happen in guest {self.name} within {seconds} s")

    def destroy(self):
        """End it at once."""
        self.machine.run(f"xl destroy {self.name}", 60)
