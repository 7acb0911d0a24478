# SPDX-License-Identifier: GPL-2.0-only
"""What users see: make demo, and the shell of make shell, on a terminal of their own."""

import os
import pty
import re
import select
import subprocess
import sys
import time
import unittest

from scripts import say
from testbed import bed

SHELL_SECONDS = 120
COMMAND = [sys.executable, "-m", "make", "demo"]


class Demo(unittest.TestCase):
    base = "mainline"

    def setUp(self):
        bed.guest_kernel(self.base)

    def test_shows_the_clock_over_virtio_msg(self):
        done = subprocess.run([*COMMAND, f"--base={self.base}"], cwd=say.REPO, timeout=300,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        for pattern in (r"^  virtio0 +virtio device 34, driver i2c_virtio, status .*DRIVER_OK",
                        r"^  its transport +virtio-msg$",
                        r"^  its bus +virtio-msg-mmio\.0, window 1000000000-10000001ff$",
                        r"^  /dev/rtc0 +rtc-ds1307 0-0068 \(ds1338\) on i2c_virtio",
                        r"^  hwclock -r +20\d\d-\d\d-\d\d \d\d:\d\d:\d\d",
                        r"^  hwclock --set +2031-02-03 04:05:06$",
                        r"^  hwclock -r +2031-02-03 04:05:",
                        r"^    60: -- -- -- -- -- -- -- -- UU ",
                        r"^  i2cget -f -y 0 0x68 6 +0x31 ",
                        r"^  traps +13 until the device was ready, \d+ altogether$",
                        r"^  requests +10 until the device was ready, \d+ altogether$"):
            self.assertRegex(done.stdout, re.compile(pattern, re.MULTILINE))

    def test_shows_devices_that_come_and_go(self):
        done = subprocess.run([*COMMAND, f"--base={self.base}", "--device=hotplug"], cwd=say.REPO,
                              timeout=300, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertEqual(done.stdout.count("slot 1 is empty"), 3)
        for pattern in (r"^  added: a disk +slot 1, virtio1, /dev/vda$",
                        r"^  added: a network +slot 1, virtio1, eth0 \(passt\)$",
                        r"^  added: an I2C bus +slot 1, virtio1, /dev/i2c-0$",
                        r"^  meanwhile +[1-9]\d* times 256 random bytes"):
            self.assertRegex(done.stdout, re.compile(pattern, re.MULTILINE))

    def test_unknown_device_is_refused(self):
        done = subprocess.run([*COMMAND, "--device=nothing"], cwd=say.REPO, timeout=60,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("nothing", done.stderr)


class DemoLts(Demo):
    base = "lts"


class Shell(unittest.TestCase):
    """On a pseudo-terminal, as a user types."""

    def setUp(self):
        bed.guest_kernel()
        child, self.terminal = pty.fork()
        if child == 0:
            os.chdir(say.REPO)
            os.execv(COMMAND[0], [*COMMAND, "--shell"])
        self.child = child
        self.seen = ""
        self.addCleanup(os.close, self.terminal)

    def expect(self, pattern):
        """Read what the terminal shows until it matches PATTERN; forget it then."""
        end = time.monotonic() + SHELL_SECONDS
        while not (match := re.search(pattern, self.seen)):
            ready, _, _ = select.select([self.terminal], [], [], max(0, end - time.monotonic()))
            self.assertTrue(ready, f"no {pattern} in: {self.seen}")
            try:
                self.seen += os.read(self.terminal, 4096).decode(errors="replace")
            except OSError:
                self.fail(f"ended before {pattern}: {self.seen}")
        self.seen = self.seen[match.end():]
        return match

    def type(self, text):
        """Type a line."""
        os.write(self.terminal, text.encode() + b"\n")

    def test_commands_and_the_end(self):
        self.expect(r"[#\$] $")
        self.type("echo ds1338 0x68 > /sys/bus/i2c/devices/i2c-0/new_device; echo $((6 * 7))")
        self.expect(r"\n42\r")
        self.type("hwclock -r --utc")
        self.expect(r"\n20\d\d-\d\d-\d\d ")
        self.type("exit")
        _, status = self.wait()
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)

    def wait(self):
        """Wait for the command to end."""
        end = time.monotonic() + SHELL_SECONDS
        while True:
            pid, status = os.waitpid(self.child, os.WNOHANG)
            if pid:
                return pid, status
            if time.monotonic() > end:
                os.kill(self.child, 9)
            if select.select([self.terminal], [], [], 0.1)[0]:
                try:
                    os.read(self.terminal, 4096)
                except OSError:
                    pass
