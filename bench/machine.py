# SPDX-License-Identifier: GPL-2.0-only
"""The guest with all windows of the comparison, and what is done in it."""

import os
import shutil
from contextlib import contextmanager

from bench.transports import DEVICES, TRANSPORTS
from scripts import cache, debian, say
from testbed.bed import Bed

LOAD_SOURCE = say.REPO / "bench" / "guest" / "load.c"
LOAD_SECONDS = 120
I2C_ADDRESS = 0x68
PRIORITY = 10


def build_load():
    """Build the program that makes devices work in the guest; returns its path."""
    debian.install(["gcc", "libc6-dev"])
    path = cache.directory("build", "bench") / "load"
    with cache.lock("build-bench-load"):
        if not path.exists() or path.stat().st_mtime < LOAD_SOURCE.stat().st_mtime:
            say.run(["gcc", "-O2", "-Wall", "-Werror", "-D_GNU_SOURCE", "-static", "-o", path,
                     LOAD_SOURCE], "bench-load", "building the program for the guest")
    return path


@contextmanager
def realtime():
    """What is started inside has real-time priority, where that is allowed; yields whether."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
        allowed = True
    except PermissionError:
        allowed = False
    try:
        yield allowed
    finally:
        os.sched_setscheduler(0, *before)


def windows():
    """virtio-msgd's --window options, device by device for one transport after the other."""
    return [f"device={device},{transport.options}"
            for transport in TRANSPORTS for device in DEVICES]


class Machine:
    """A Bed with every device on every transport."""

    def __init__(self, name="bench", base="mainline"):
        self.program = build_load()
        self.bed = Bed(name, windows(), base)
        self.realtime = False

    def __enter__(self):
        with realtime() as self.realtime:
            self.bed.__enter__()
        shutil.copy(self.program, self.bed.guest.directory / "load")
        return self

    def __exit__(self, *_):
        self.bed.__exit__()

    @property
    def guest(self):
        """The Guest."""
        return self.bed.guest

    def window(self, transport, device):
        """The number of a window."""
        return TRANSPORTS.index(transport) * len(DEVICES) + DEVICES.index(device)

    def platform_device(self, transport, device):
        """The guest's name for a window; numbered for each driver."""
        number = self.window(transport, device)
        same = [other for other in TRANSPORTS if other.driver == transport.driver]
        return f"{transport.driver}.{number - self.window(same[0], DEVICES[0])}"

    def file(self, transport, device, pattern):
        """The one path below a device's platform device that PATTERN matches."""
        name = self.platform_device(transport, device)
        found = self.guest.check(f"ls -d /sys/bus/platform/devices/{name}/{pattern}").split()
        if len(found) != 1:
            raise say.Error(f"{name}/{pattern} in the guest is not one file: {found}")
        return found[0]

    def node(self, transport, device):
        """The path in /dev of an i2c or blk device."""
        pattern = {"i2c": "virtio*/i2c-*", "blk": "virtio*/block/vd*"}[device]
        return "/dev/" + self.file(transport, device, pattern).rpartition("/")[2]

    def features(self, transport, device):
        """The bits of the features that were negotiated."""
        text = self.guest.check(f"cat {self.file(transport, device, 'virtio*/features')}")
        return {bit for bit, value in enumerate(text.strip()) if value == "1"}

    def count(self, transport, device, script, timeout=30):
        """Run a script in the guest; the counters of what it made of a window, its output."""
        self.bed.msgd.control("counters-reset")
        output = self.guest.check(script, timeout)
        return self.bed.msgd.counters(self.window(transport, device)), output

    def bind(self, transport, device):
        """Unbind a window's driver, bind it again; the counters of the latter."""
        name = self.platform_device(transport, device)
        driver = f"/sys/bus/platform/drivers/{transport.driver}"
        self.guest.check(f"echo {name} > {driver}/unbind")
        counters, _ = self.count(transport, device, f"echo {name} > {driver}/bind")
        self.file(transport, device, "virtio*/driver")
        return counters

    def load(self, transport, device, words):
        """Run load with WORDS; the counters, and the numbers that it printed."""
        counters, output = self.count(transport, device, f"/host/load {words}", LOAD_SECONDS)
        return counters, [int(line) for line in output.split()]
