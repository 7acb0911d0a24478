# SPDX-License-Identifier: GPL-2.0-only
"""A guest that means harm: messages, rings, doorbells and accesses that are wrong, or are
right at the wrong time, in an order that a seed chooses."""

import os
import random
import socket
import struct

from testbed import fake_window as window
from testbed import mmio_sock
from testbed.fake_driver import (ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, PAGE_LATE, PAGE_ON,
                                 PAGE_SIZE, QUEUE_ENABLED, VERSION_1, VQUEUE, Disk, Driver)
from testbed.fake_guest import MEMORY, WINDOW_SIZE, Gone
from testbed.split_ring import INDIRECT, NEXT, WRITE, Ring

REGISTERS = (window.MAGIC, window.IDENTITY, 0x10, window.EVENT, window.PAGE, window.DOORBELL,
             window.QUEUE_NOTIFY, window.WINDOW)
STATUSES = (0, ACKNOWLEDGE, ACKNOWLEDGE | DRIVER, ACKNOWLEDGE | DRIVER | FEATURES_OK,
            ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK, 0x40, 0x80, 0xFF)
NUMBERS = (0, 1, 2, 3, 63, 64, 65, 0x7FFF, 0xFFFF, 1 << 31, (1 << 32) - 1, 1 << 63, (1 << 64) - 1)
KINDS = (Disk.IN, Disk.OUT, Disk.FLUSH, Disk.DISCARD, Disk.WRITE_ZEROES, 8, 99)
MMIO_MAGIC = 0x74726976
RING_SIZE = 64
BURST = 32
ROOM = 4096


def insist(driver, features=VERSION_1, queues=1):
    """As Driver.up(), whatever the answers are."""
    for status in STATUSES[:3]:
        driver.call(window.SET_STATUS, struct.pack("<I", status))
    driver.call(window.SET_FEATURES, struct.pack("<IIQ", 0, 2, features))
    driver.call(window.SET_STATUS, struct.pack("<I", STATUSES[3]))
    for index in range(queues):
        driver.queue(index, RING_SIZE)
    driver.call(window.SET_STATUS, struct.pack("<I", STATUSES[4]))


def message_steps(features, queues, ring):
    """Of a driver from reset to DRIVER_OK: messages."""
    steps = [(window.SET_STATUS, struct.pack("<I", status)) for status in STATUSES[:4]]
    steps.insert(3, (window.SET_FEATURES, struct.pack("<IIQ", 0, 2, features)))
    steps += [(window.SET_VQUEUE, VQUEUE.pack(index, QUEUE_ENABLED, RING_SIZE, 0,
                                              *ring.addresses)) for index in range(queues)]
    return [*steps, (window.SET_STATUS, struct.pack("<I", STATUSES[4]))]


def mmio_steps(features, queues, ring):
    """The same of virtio-mmio (virtio 1.2, 4.2.2): registers."""
    steps = [(0x70, status) for status in STATUSES[:3]]
    for half in range(2):
        steps += [(0x24, half), (0x20, features >> 32 * half & 0xFFFFFFFF)]
    steps.append((0x70, STATUSES[3]))
    for index in range(queues):
        steps += [(0x30, index), (0x38, RING_SIZE)]
        for register, address in zip((0x80, 0x90, 0xA0), ring.addresses):
            steps += [(register, address & 0xFFFFFFFF), (register + 4, address >> 32)]
        steps.append((0x44, 1))
    return [*steps, (0x70, STATUSES[4])]


def take(driver, step):
    """A step: a message and what is in it, or a register and its value."""
    number, what = step
    if isinstance(what, bytes):
        driver.call(number, what)
    else:
        driver.write(number, what)


class HostileGuest:
    """Does one wrong thing each step(), in all windows of GUEST, by SEED.

    Where the device side closes the connection, GUEST connects again; what it has to answer
    is waited for as long as GUEST waits.
    """

    def __init__(self, guest, seed):
        self.guest, self.random = guest, random.Random(seed)
        self.steps = self.gone = 0
        self.drivers = [Driver(guest, number) for number in range(guest.windows)]
        self.pages = [guest.allocate(PAGE_SIZE, PAGE_SIZE) for _ in self.drivers]
        self.rings = [Ring(guest, RING_SIZE) for _ in self.drivers]
        self.header, self.data = guest.allocate(ROOM), guest.allocate(ROOM)
        self.current = self.drivers[0]
        # And how often, of all
        self.acts = {self.access: 10, self.burst: 5, self.message: 10, self.known_message: 10,
                     self.bring_up: 10, self.request: 30, self.wild_ring: 5, self.kick: 5,
                     self.move_page: 3, self.scribble: 5, self.reboot: 0.5, self.stranger: 0.5}

    def step(self):
        """The next one."""
        self.steps += 1
        try:
            act, = self.random.choices([*self.acts], self.acts.values())
            act()
        except Gone:
            self.gone += 1
            self.guest.connect_soon()
        except ValueError:
            # Of what it did to the page, there is no telling whose response is in it
            pass

    # What things are made of

    def number(self):
        """One that somebody may not have thought of."""
        if self.random.random() < 0.6:
            return self.random.choice(NUMBERS)
        return self.random.getrandbits(self.random.choice((4, 8, 16, 32, 64)))

    def address(self):
        """Mostly in the guest's memory."""
        if self.random.random() < 0.2:
            return self.number()
        align = self.random.choice((1, 2, 16, PAGE_SIZE))
        return MEMORY + self.random.randrange(self.guest.size) // align * align

    def driver(self):
        """That of any window, mostly of the one of the last step."""
        if self.random.random() < 0.2:
            self.current = self.random.choice(self.drivers)
        return self.current

    def register(self):
        """An access: (operation, size, offset, value)."""
        operation = self.random.choice((mmio_sock.READ, mmio_sock.WRITE, mmio_sock.WRITE))
        size = self.random.choice((1, 2, 4, 4, 4, 8, 8))
        offset = (self.random.randrange(self.guest.windows) * WINDOW_SIZE
                  + self.random.choice(REGISTERS))
        roll = self.random.random()
        if roll < 0.2:
            offset += self.random.randrange(WINDOW_SIZE)
        elif roll < 0.25:
            offset, size = self.number(), self.number() & 0xFF
        elif roll < 0.3:
            operation = self.number() & 0xFF
        return operation, size, offset, self.number()

    # Accesses

    def access(self):
        """One."""
        self.guest.begin(*self.register())
        self.guest.finish()

    def burst(self):
        """Many, without waiting for the first one's end."""
        count = self.random.randrange(2, BURST)
        for _ in range(count):
            self.guest.begin(*self.register())
        for _ in range(count):
            self.guest.finish()

    def kick(self):
        """A doorbell of a queue, which need not exist."""
        driver = self.driver()
        driver.kick(self.random.choice((0, 0, 0, 1, self.number() & 0xFFFFFFFF)))

    def move_page(self):
        """Where it is right, or anywhere."""
        driver = self.driver()
        own = self.pages[self.drivers.index(driver)]
        driver.move_page(self.random.choice((own | PAGE_ON, 0, own | PAGE_ON | PAGE_LATE,
                                             self.address() | PAGE_ON, self.number())))

    def choose_page(self, driver):
        """From now on its messages go through the page, or not; mostly the device knows."""
        own = self.pages[self.drivers.index(driver)]
        driver.page = self.random.choice((own, None))
        if self.random.random() < 0.95:
            driver.move_page(own | PAGE_ON if driver.page else 0)

    # Messages

    def message(self):
        """A header that may be anything, and what follows it."""
        size = self.random.choice((0, 4, 8, 12, 16, 40, 48, 248, self.number() & 0xFFFF))
        header = window.HEADER.pack(self.random.choice((0, 0, 0, 1, 2, 255)),
                                    self.random.choice((*range(16), 0x40, 255)),
                                    self.random.choice((0, 0, 0, 1, 0xFFFF)),
                                    self.random.randrange(1 << 16),
                                    self.random.choice((8 + size, size)) & 0xFFFF)
        request = header + self.random.randbytes(min(size, 1000))
        driver = self.driver()
        if driver.page is None:
            driver.by_window(request[:WINDOW_SIZE - window.WINDOW])
        else:
            driver.by_page(request)

    def known_message(self):
        """One that there is, whose payload is nearly right."""
        number, layout = self.random.choice((
            (window.INFO, ""), (window.GET_FEATURES, "II"), (window.SET_FEATURES, "IIQ"),
            (window.GET_CONFIG, "II"), (window.SET_CONFIG, "III8s"), (window.GET_STATUS, ""),
            (window.SET_STATUS, "I"), (window.GET_VQUEUE, "I"), (window.SET_VQUEUE, "IIIIQQQ"),
            (window.RESET_VQUEUE, "I"), (window.GET_SHM, "I")))
        values = []
        for code in layout.replace("8s", "s"):
            if code == "s":
                values.append(self.random.randbytes(8))
            elif code == "Q":
                values.append(self.address() & 0xFFFFFFFFFFFFFFFF)
            else:
                values.append(self.random.choice((0, 1, 2, 8, RING_SIZE, self.number()))
                              & 0xFFFFFFFF)
        payload = struct.pack("<" + layout, *values)
        if self.random.random() < 0.1:
            payload = payload[:self.random.randrange(len(payload) + 1)]
        self.driver().call(number, payload)

    def bring_up(self):
        """From reset to DRIVER_OK, with a step left out, done twice or changed here and there."""
        driver = self.driver()
        ring = self.rings[self.drivers.index(driver)]
        features = VERSION_1 | 1 << self.random.choice((0, 13, 14, 28, 29, 34, 35, 38, 40))
        if self.random.random() < 0.1:
            features = self.number()
        queues = 1 + (self.random.random() < 0.05)
        ring.clear()
        if driver.read(window.MAGIC) == MMIO_MAGIC:
            steps = mmio_steps(features, queues, ring)
        else:
            self.choose_page(driver)
            steps = message_steps(features, queues, ring)
        for step in steps:
            roll = self.random.random()
            if roll < 0.02:
                continue
            take(driver, step)
            if roll < 0.04:
                take(driver, step)
            elif roll < 0.05:
                take(driver, self.random.choice(steps))

    # Rings

    def fill_header(self):
        """The beginning of a request, as a disk or an I2C adapter would have it."""
        self.guest.put(self.header, Disk.HEADER.pack(self.random.choice(KINDS), 0,
                                                     self.random.choice((0, 1, self.number()))))
        self.guest.put(self.data, Disk.RANGE.pack(
            self.random.choice((0, self.number())), self.random.choice((1, 8, 0x7FFFFFFF)),
            self.random.choice((0, 0, 1, 2))) * 4)

    def request(self):
        """A request, nearly right, with a kick."""
        driver = self.driver()
        ring = self.rings[self.drivers.index(driver)]
        self.fill_header()
        chain = self.random.sample(range(RING_SIZE), self.random.randrange(1, 5))
        for at, number in enumerate(chain):
            last = at == len(chain) - 1
            address = self.header if not at else self.data
            length = 16 if not at else self.random.choice((1, 4, 64, 512, ROOM))
            flags = (0 if last else NEXT) | (WRITE if at and (last or at % 2 == 0) else 0)
            following = 0 if last else chain[at + 1]
            roll = self.random.random()
            if roll < 0.05:
                address = self.address()
            elif roll < 0.1:
                length = self.number() & 0xFFFFFFFF
            elif roll < 0.15:
                flags = self.random.randrange(8)
            elif roll < 0.2:
                following = self.number() & 0xFFFF
            elif roll < 0.22:
                flags = INDIRECT
                self.guest.put(self.data, self.random.randbytes(512))
            ring.describe(number, address & 0xFFFFFFFFFFFFFFFF, length, flags, following)
        ring.offer(chain[0])
        driver.kick()

    def wild_ring(self):
        """Heads and indices that were never given, with a kick."""
        driver = self.driver()
        ring = self.rings[self.drivers.index(driver)]
        for _ in range(self.random.randrange(1, 8)):
            ring.offer(self.number() & 0xFFFF)
        if self.random.random() < 0.3:
            ring.index = self.number() & 0xFFFF
            ring.offer(0)
        driver.kick()

    def scribble(self):
        """Noise in what device and driver have in common."""
        ring = self.random.choice(self.rings)
        address, size = self.random.choice((
            (ring.descriptors, 16 * RING_SIZE), (ring.available, 4 + 2 * RING_SIZE),
            (ring.used, 4 + 8 * RING_SIZE), (self.random.choice(self.pages), PAGE_SIZE)))
        at = self.random.randrange(size)
        self.guest.put(address + at, self.random.randbytes(
            self.random.randrange(1, min(64, size - at) + 1)))

    # Connections

    def reboot(self):
        """In the middle of an access, or of nothing."""
        if self.random.random() < 0.7:
            data = mmio_sock.ACCESS.pack(*self.register())
            try:
                self.guest.socket.sendall(data[:self.random.randrange(len(data) + 1)])
            except ConnectionError:
                pass
        self.guest.connect_soon()

    def stranger(self):
        """Somebody else of the same process, whose hello is not quite right, or not true: the
        memory that it has ends somewhere else."""
        words = list(mmio_sock.HELLO.unpack(self.guest.hello()))
        if self.random.random() < 0.5:
            words[self.random.randrange(len(words))] = self.number() & 0xFFFFFFFF
        hello = mmio_sock.HELLO.pack(*words)[:self.random.choice((64, 64, 64, 63, 8, 0))]
        memory = os.memfd_create("stranger")
        bell, ring = os.pipe()
        try:
            os.ftruncate(memory, self.random.choice((0, 8, PAGE_SIZE, 1 << 20)))
            fds = [memory, ring, memory, ring][:self.random.choice((0, 1, 2, 2, 2, 4))]
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(self.guest.seconds)
                line.connect(self.guest.path)
                if hello:
                    socket.send_fds(line, [hello], fds)
                for _ in range(self.random.randrange(4)):
                    line.sendall(mmio_sock.ACCESS.pack(mmio_sock.WRITE, 8, window.PAGE,
                                                       MEMORY | PAGE_ON))
                    line.sendall(mmio_sock.ACCESS.pack(mmio_sock.WRITE, 4, window.DOORBELL, 1))
        except (ConnectionError, BlockingIOError):
            pass
        finally:
            for fd in (memory, bell, ring):
                os.close(fd)
