# SPDX-License-Identifier: GPL-2.0-only
"""make demo VMM=qemu, as users see it."""

import re
import subprocess
import sys
import unittest

from scripts import say

COMMAND = [sys.executable, "-m", "make", "demo", "--vmm=qemu"]
SHOWN = (
    r"^  Linux \S+-amd64 is up \(QEMU, 2 CPUs",
    r"^  virtio0 +virtio device 34, driver i2c_virtio, status .*DRIVER_OK",
    r"^  its transport +virtio-msg$",
    r"^  its bus +0000:00:01\.0, window [0-9a-f]+-[0-9a-f]+$",
    r"^  /dev/rtc1 +rtc-ds1307 0-0068 \(ds1338\) on i2c_virtio",
    r"^  hwclock -r +20\d\d-\d\d-\d\d \d\d:\d\d:\d\d",
    r"^  hwclock --set +2031-02-03 04:05:06$",
    r"^  hwclock -r +2031-02-03 04:05:",
    r"^    60: -- -- -- -- -- -- -- -- UU ",
    r"^  i2cget -f -y 0 0x68 6 +0x31 ",
    r"^  requests +10 until the device was ready, \d+ altogether$",
)


class Demo(unittest.TestCase):
    def test_shows_the_clock_over_virtio_msg(self):
        done = subprocess.run(COMMAND, cwd=say.REPO, timeout=600, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        for pattern in SHOWN:
            self.assertRegex(done.stdout, re.compile(pattern, re.MULTILINE))
