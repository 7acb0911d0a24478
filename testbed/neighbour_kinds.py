# SPDX-License-Identifier: GPL-2.0-only
"""Guests beside which others have to live: each kind is bad in another way."""

import contextlib
import random
import signal
import threading
import time

from scripts import wait
from testbed import mmio_sock
from testbed.fake_backend import FakeBackend
from testbed.fake_driver import VERSION_1, Disk, Driver
from testbed.fake_window import DOORBELL, EVENT, IDENTITY, MAGIC, QUEUE_NOTIFY
from testbed.hostile_backend import HostileBackend
from testbed.hostile_guest import HostileGuest, insist

I2C = 34
SECONDS = 60
DISK = 64 << 20


class Kind:
    """What GUEST does in each step(), with BACKENDS that listen, by SEED.

    WINDOWS are virtio-msgd's options, where {backend} is another backend's path each time;
    TITLE is what such neighbours do.
    """

    title = None
    windows = ()

    def __init__(self, guest, backends, seed):
        self.guest, self.backends, self.seed = guest, backends, seed
        self.random = random.Random(seed)
        self.begin()

    @staticmethod
    def backend(path, seed):
        """What shall listen at PATH."""
        return FakeBackend(path)

    def begin(self):
        """Before the first step."""

    def step(self):
        """Again and again."""
        raise NotImplementedError


class Idle(Kind):
    """Is there, with a driver at work, and does nothing."""

    title = "do nothing"
    windows = ("device=blk",)

    def begin(self):
        Disk(self.guest, room=512).up()

    def step(self):
        # Until it is told to end
        signal.pause()


class Flood(Kind):
    """Clears its disk over and over, and accesses whatever there is as fast as it can: doorbells
    of all kinds, half of which are worth a line in the log."""

    title = "flood"
    windows = (f"device=blk,size={DISK}", "device=rng")
    ACCESSES = ((mmio_sock.WRITE, 4, QUEUE_NOTIFY, 0), (mmio_sock.WRITE, 4, DOORBELL, 1),
                (mmio_sock.READ, 4, MAGIC, 0), (mmio_sock.READ, 8, IDENTITY, 0),
                (mmio_sock.READ, 4, EVENT, 0), (mmio_sock.WRITE, 4, 0x200 + QUEUE_NOTIFY, 7),
                (mmio_sock.WRITE, 4, 0x200 + DOORBELL, 1), (mmio_sock.WRITE, 4, QUEUE_NOTIFY, 0))
    RANGES = 16

    def begin(self):
        disk = Disk(self.guest)
        disk.up(VERSION_1 | Disk.ZEROES_BIT)
        self.guest.put(disk.header, Disk.HEADER.pack(Disk.WRITE_ZEROES, 0, 0))
        self.guest.put(disk.data, Disk.RANGE.pack(0, DISK // 512, 0) * self.RANGES)
        self.request = [(disk.header, Disk.HEADER.size, False),
                        (disk.data, Disk.RANGE.size * self.RANGES, False),
                        (disk.answer, 1, True)]
        self.ring = disk.rings[0]

    def step(self):
        # The disk has always something to do; accesses are not waited for one by one
        self.ring.completed()
        while len(self.ring.free) >= len(self.request):
            self.ring.add(self.request)
        for access in self.ACCESSES:
            self.guest.begin(*access)
        for _ in self.ACCESSES:
            self.guest.finish()


class Fuzz(Kind):
    """Does what no driver would, to devices of all kinds."""

    title = "fuzz"
    windows = ("device=blk,size=1048576,packed=on", "device=rng,notification-data=on",
               "device=i2c,packed=on,in-order=on", "device=rng,personality=mmio")

    def begin(self):
        self.hostile = HostileGuest(self.guest, self.seed)

    def step(self):
        self.hostile.step()


class Anew(Kind):
    """Has a device by a backend, and begins with it anew all the time."""

    windows = ("device=i2c,socket={backend}",)

    def begin(self):
        self.driver = Driver(self.guest)
        wait.until(lambda: self.driver.info()[0] == I2C, SECONDS, 0.01)

    def step(self):
        insist(self.driver)


class Slow(Anew):
    """Has a backend that takes its time for each request, once the device is there."""

    title = "have a slow backend"
    ANSWER_SECONDS = 0.9

    def begin(self):
        super().begin()
        [backend] = self.backends
        backend.faults = dict.fromkeys(range(64), self.ANSWER_SECONDS)


class Dying(Anew):
    """Has a backend that dies, wherever that is, and comes again."""

    title = "have a backend that dies"
    windows = ("device=i2c,socket={backend},reconnect=1,answer=1",)
    LIFE_SECONDS = 0.02

    def begin(self):
        super().begin()
        threading.Thread(target=self.die, daemon=True).start()

    def die(self):
        """Again and again."""
        [backend] = self.backends
        while True:
            time.sleep(self.random.uniform(0, 2 * self.LIFE_SECONDS))
            backend.stop()
            backend.start()


class Wrong(Kind):
    """Has backends that are hostile, and is no better itself."""

    title = "have a hostile backend"
    windows = ("device=i2c,socket={backend},reconnect=1,answer=1",
               "device=blk,socket={backend},capacity=2048,reconnect=1,answer=1")
    RATE = 0.08
    STEPS = 10

    def begin(self):
        self.hostile = HostileGuest(self.guest, self.seed)

    @staticmethod
    def backend(path, seed):
        return HostileBackend(path, seed, Wrong.RATE)

    def step(self):
        # First, a driver is at work
        with contextlib.suppress(ConnectionError, ValueError):
            insist(self.hostile.current)
        for _ in range(self.STEPS):
            self.hostile.step()


KINDS = {"idle": Idle, "flood": Flood, "fuzz": Fuzz, "slow": Slow, "dying": Dying,
         "wrong": Wrong}
