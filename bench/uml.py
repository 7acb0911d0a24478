# SPDX-License-Identifier: GPL-2.0-only
"""The comparison in a User Mode Linux guest, by a virtio-msgd beside it."""

import os
import shutil
from contextlib import contextmanager

from bench.machine import Machine, window, windows
from bench.transports import DEVICES, TRANSPORTS
from testbed import load
from testbed.bed import Bed

PRIORITY = 10
LOAD_PROGRAM = "/host/load"


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


class Uml(Machine):
    """A Bed with every device on every transport."""

    load_program = LOAD_PROGRAM
    time_goal = 0.5

    def __init__(self, name="bench", base="mainline"):
        self.program = load.build()
        self.bed = Bed(name, windows(), base)
        self.realtime = False

    def __enter__(self):
        with realtime() as self.realtime:
            self.bed.__enter__()
        shutil.copy(self.program, self.guest.directory / "load")
        return self

    def __exit__(self, *_):
        self.bed.__exit__()

    @property
    def guest(self):
        """The Guest."""
        return self.bed.guest

    def check(self, script, timeout=30):
        return self.guest.check(script, timeout)

    def splats(self):
        return self.guest.splats()

    def reset_counters(self):
        self.bed.msgd.control("counters-reset")

    def counters(self, number):
        return self.bed.msgd.counters(number)

    def platform_device(self, transport, device):
        """Numbered for each driver."""
        same = [other for other in TRANSPORTS if other.driver == transport.driver]
        return f"{transport.driver}.{window(transport, device) - window(same[0], DEVICES[0])}"
