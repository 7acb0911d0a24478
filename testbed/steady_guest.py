# SPDX-License-Identifier: GPL-2.0-only
"""A guest that behaves, and looks at a clock: what it can tell of its neighbours."""

import struct
import time

from testbed.fake_driver import Disk
from testbed.fake_guest import FakeGuest

SECTOR = 512
SECTORS = 1024
NUMBER = struct.Struct("<Q")
WINDOW = f"device=blk,size={SECTORS * SECTOR}"


class TimedGuest(FakeGuest):
    """Keeps in TIMES how many nanoseconds each access took."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.times = []
        self.begun = 0

    def begin(self, operation, size, offset, value=0):
        self.begun = time.perf_counter_ns()
        super().begin(operation, size, offset, value)

    def finish(self):
        value = super().finish()
        self.times.append(time.perf_counter_ns() - self.begun)
        return value


class SteadyGuest:
    """Has a disk, WINDOW, at GUEST's window NUMBER, in page mode: writes to it, reads that
    again, and asks for its status, one thing after the other."""

    def __init__(self, guest, number=0):
        self.disk = Disk(guest, number, page=True, room=SECTOR)
        self.status = self.disk.up()
        self.served = 0     # requests

    def step(self):
        """Two requests and a message; raises ValueError if anything is not as it has to be."""
        number = self.served // 2
        sector, data = number % SECTORS, NUMBER.pack(number) * (SECTOR // NUMBER.size)
        if self.disk.store(sector, data) != Disk.OK or self.disk.load(sector, SECTOR) != data:
            raise ValueError(f"sector {sector} is not what was written to it")
        self.served += 2
        if self.disk.status() != self.status:
            raise ValueError("the device has changed its status")

    def run(self, seconds, pause=0):
        """step() for so long, with a PAUSE after each, in seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.step()
            if pause:
                time.sleep(pause)
