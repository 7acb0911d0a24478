# SPDX-License-Identifier: GPL-2.0-only
"""A driver in a FakeGuest: the messages of a window, by its registers or the message page.

include/uapi/linux/virtio_msg.h and virtio_msg_mmio.h have the layouts. What is wrong on
purpose is written with call() and the guest's read() and write().
"""

import struct
import time

from testbed import fake_window as window
from testbed.fake_guest import WINDOW_SIZE
from testbed.split_ring import PAUSE_SECONDS, SPIN_SECONDS, Ring

ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET = 1, 2, 4, 8, 64
VERSION_1 = 1 << 32

PAGE_SIZE, RESPONSE = 4096, 1024
PAGE_ON, PAGE_LATE = 1, 2
QUEUE_ENABLED = 1
VQUEUE = struct.Struct("<IIIIQQQ")


class Driver:
    """The driver of one window of GUEST, in window mode, or in page mode with PAGE.

    With LATE, a response in the page may come after the doorbell's store is complete.
    """

    def __init__(self, guest, number=0, page=False, late=False):
        self.guest, self.base = guest, number * WINDOW_SIZE
        self.token, self.late = 0, late
        self.rings = {}
        self.page = guest.allocate(PAGE_SIZE, PAGE_SIZE) if page else None
        if page:
            self.move_page(self.page | PAGE_ON | (PAGE_LATE if late else 0))

    # Registers

    def read(self, offset, size=4):
        """Load a register of the window."""
        return self.guest.read(self.base + offset, size)

    def write(self, offset, value, size=4):
        """Store into a register of the window."""
        self.guest.write(self.base + offset, value, size)

    def move_page(self, value):
        """Write the Page register."""
        self.write(window.PAGE, value, 8)

    def kick(self, queue=0):
        """Notify the device of a queue."""
        self.write(window.QUEUE_NOTIFY, queue)

    def events(self):
        """The Event register, which is cleared by that."""
        return self.read(window.EVENT)

    # Messages

    def call(self, number, payload=b"", device=0):
        """Send a request; returns the payload of its response, None if there is none."""
        self.token = self.token % 0xFFFF + 1
        request = window.HEADER.pack(0, number, device, self.token,
                                     window.HEADER.size + len(payload)) + payload
        request += bytes(-len(request) % 4)
        response = (self.by_window if self.page is None else self.by_page)(request)
        kind, same, _, token, size = window.HEADER.unpack_from(response)
        if not size:
            return None
        if (kind & window.RESPONSE, same, token) != (window.RESPONSE, number, self.token):
            raise ValueError(f"no response to request {number}: {response[:size].hex()}")
        return response[window.HEADER.size:size]

    def by_window(self, request):
        """REQUEST through the Window register, 8 bytes at a time."""
        for at in range(0, len(request), 8):
            part = request[at:at + 8]
            self.write(window.WINDOW + at, int.from_bytes(part, "little"), len(part))
        response = self.read(window.WINDOW, 8).to_bytes(8, "little")
        size = window.HEADER.unpack(response)[4]
        for at in range(8, size, 8):
            response += self.read(window.WINDOW + at, 8).to_bytes(8, "little")
        return response

    def by_page(self, request):
        """REQUEST through the message page."""
        self.guest.put(self.page + RESPONSE, bytes(window.HEADER.size))
        self.guest.put(self.page, request)
        self.write(window.DOORBELL, 1)
        start = time.monotonic()
        while (passed := time.monotonic() - start) < self.guest.seconds:
            response = self.guest.get(self.page + RESPONSE, RESPONSE)
            if window.HEADER.unpack_from(response)[3] == self.token:
                return response
            if not self.late:
                break
            if passed > SPIN_SECONDS:
                time.sleep(PAUSE_SECONDS)
        return bytes(RESPONSE)

    # What the messages are for

    def info(self):
        """(virtio device ID, vendor, feature blocks, size of config, virtqueues)"""
        return struct.unpack_from("<II16xIII", self.call(window.INFO))

    def features(self):
        """What the device offers."""
        payload = self.call(window.GET_FEATURES, struct.pack("<II", 0, 4))
        return int.from_bytes(payload[8:], "little")

    def set_features(self, bits):
        """What the driver takes."""
        self.call(window.SET_FEATURES, struct.pack("<IIQ", 0, 2, bits))

    def status(self):
        """The device's status."""
        return struct.unpack("<I", self.call(window.GET_STATUS))[0]

    def set_status(self, value):
        """Set it; returns what it is then."""
        return struct.unpack("<I", self.call(window.SET_STATUS, struct.pack("<I", value)))[0]

    def config(self, offset, size):
        """SIZE bytes of config space; None if there is no answer."""
        payload = self.call(window.GET_CONFIG, struct.pack("<II", offset, size))
        return payload and payload[12:]

    def set_config(self, offset, data):
        """Write DATA to config space; whether there was an answer."""
        [generation] = struct.unpack_from("<I", self.call(window.GET_CONFIG,
                                                          struct.pack("<II", offset, len(data))))
        return self.call(window.SET_CONFIG,
                         struct.pack("<III", generation, offset, len(data)) + data) is not None

    def queue(self, index=0, size=64):
        """Set up queue INDEX; returns its Ring."""
        ring = self.rings.get(index)
        if ring is None or ring.size != size:
            ring = self.rings[index] = Ring(self.guest, size)
        ring.clear()
        self.call(window.SET_VQUEUE, VQUEUE.pack(index, QUEUE_ENABLED, size, 0, *ring.addresses))
        return ring

    def negotiate(self, features=VERSION_1):
        """From reset to FEATURES_OK; returns the status."""
        for value in (0, ACKNOWLEDGE, ACKNOWLEDGE | DRIVER):
            self.set_status(value)
        self.set_features(features)
        return self.set_status(ACKNOWLEDGE | DRIVER | FEATURES_OK)

    def up(self, features=VERSION_1, queues=1, size=64):
        """From reset to DRIVER_OK with QUEUES; returns the status."""
        self.negotiate(features)
        for index in range(queues):
            self.queue(index, size)
        return self.set_status(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)

    def request(self, buffers, queue=0):
        """Have one request of BUFFERS served; returns its used length."""
        ring = self.rings[queue]
        ring.add(buffers)
        self.kick(queue)
        [(_, length)] = ring.wait(1, self.guest.seconds)
        return length


class Disk(Driver):
    """The driver of a virtio-blk device."""

    ID = 2
    IN, OUT, FLUSH, DISCARD, WRITE_ZEROES = 0, 1, 4, 11, 13
    OK, IOERR, UNSUPP = 0, 1, 2
    FLUSH_BIT, WCE_BIT, DISCARD_BIT, ZEROES_BIT = (1 << 9, 1 << 11, 1 << 13, 1 << 14)
    HEADER = struct.Struct("<IIQ")
    RANGE = struct.Struct("<QII")
    UNTOUCHED = 0xA5

    def __init__(self, guest, number=0, page=False, room=1 << 20):
        super().__init__(guest, number, page)
        self.header = guest.allocate(self.HEADER.size)
        self.data = guest.allocate(room)
        self.answer = guest.allocate(room + 1)

    def transfer(self, kind, sector, data=b"", room=0):
        """One request; returns (status, used length, what is in ROOM bytes after it)."""
        self.guest.put(self.header, self.HEADER.pack(kind, 0, sector))
        self.guest.put(self.data, data)
        self.guest.put(self.answer, bytes([self.UNTOUCHED]) * (room + 1))
        buffers = [(self.header, self.HEADER.size, False)]
        if data:
            buffers.append((self.data, len(data), False))
        if room:
            buffers.append((self.answer, room, True))
        buffers.append((self.answer + room, 1, True))
        length = self.request(buffers)
        answer = self.guest.get(self.answer, room + 1)
        return answer[room], length, answer[:room]

    def store(self, sector, data):
        """Write to the disk; returns the status."""
        return self.transfer(self.OUT, sector, data)[0]

    def load(self, sector, size=512):
        """Read from the disk."""
        status, _, data = self.transfer(self.IN, sector, room=size)
        if status != self.OK:
            raise OSError(f"status {status}")
        return data
