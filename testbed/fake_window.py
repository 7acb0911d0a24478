# SPDX-License-Identifier: GPL-2.0-only
"""A virtio-msg window (include/uapi/linux/virtio_msg_mmio.h) that can be made to misbehave.

Fake is just enough of a device side for a virtio-rng to come up in window mode.
Tests subclass it and spoil one thing.
"""

import os
import struct

from testbed.mmio_sock import Device

MAGIC, IDENTITY, EVENT, PAGE = 0x000, 0x008, 0x01C, 0x020
DOORBELL, QUEUE_NOTIFY, WINDOW = 0x040, 0x050, 0x100
MAGIC_VALUE = 0x67736D76
EVENT_CONFIG, EVENT_DEVICE = 2, 4

HEADER = struct.Struct("<BBHHH")
RESPONSE = 1
INFO, GET_FEATURES, SET_FEATURES, GET_CONFIG, SET_CONFIG = 2, 3, 4, 5, 6
GET_STATUS, SET_STATUS, GET_VQUEUE, SET_VQUEUE, RESET_VQUEUE, GET_SHM = range(7, 13)

DRIVER_OK, NEEDS_RESET = 4, 64
RNG = 4


class Fake(Device):
    """A window with a virtio-rng in it."""

    version = 1
    revision = 1
    msg_size = 256
    bus_features = 0
    magic = MAGIC_VALUE
    device_id = RNG
    features = 1 << 32
    queue_size = 64

    def __init__(self):
        self.request, self.response = b"", b""
        self.requests = []
        self.status = self.event = 0
        self.queue = None
        self.used = 0

    # Registers

    def read(self, offset, size):
        if offset >= WINDOW:
            data = self.response[offset - WINDOW:offset - WINDOW + size]
            return int.from_bytes(data, "little")
        if offset == MAGIC:
            return self.magic
        if offset == IDENTITY:
            return (self.version | self.revision << 16 | self.msg_size << 32
                    | self.bus_features << 48)
        if offset == EVENT:
            event, self.event = self.event, 0
            return event
        return 0

    def write(self, offset, size, value):
        if offset == QUEUE_NOTIFY:
            self.kick(value & 0xFFFF)
        elif offset >= WINDOW:
            if offset == WINDOW:
                self.request = b""
            self.request += value.to_bytes(size, "little")
            if len(self.request) >= 8:
                length = HEADER.unpack_from(self.request)[4]
                if len(self.request) >= length:
                    self.take(self.request[:length])

    # Messages

    def take(self, message):
        """A whole request has arrived."""
        kind, number, device, token, _ = HEADER.unpack_from(message)
        self.requests.append(number)
        payload = self.answer(number, message[HEADER.size:])
        self.response = b"" if payload is None else self.spoil(
            number, HEADER.pack(kind | RESPONSE, number, device, token,
                                HEADER.size + len(payload)) + payload)

    def spoil(self, number, response):
        """For tests: change the RESPONSE to request NUMBER."""
        return response

    def answer(self, number, payload):
        """The response's payload to request NUMBER; None: it is discarded."""
        if number == INFO:
            return struct.pack("<II16xIIIII", self.device_id, 0x1AF4, 2, 0, 1, 0, 0)
        if number == GET_FEATURES:
            first, count = struct.unpack("<II", payload)
            blocks = [self.features >> 32 * block & 0xFFFFFFFF
                      for block in range(first, first + count)]
            return struct.pack(f"<II{count}I", first, count, *blocks)
        if number == SET_STATUS:
            [self.status] = struct.unpack("<I", payload)
            if not self.status:
                self.queue, self.used = None, 0
        if number in (GET_STATUS, SET_STATUS):
            return struct.pack("<I", self.status)
        if number == GET_VQUEUE:
            [index] = struct.unpack("<I", payload)
            return struct.pack("<IIIIQQQ", index, 0 if index else self.queue_size, 0, 0, 0, 0, 0)
        if number == SET_VQUEUE:
            _, _, size, _, *rings = struct.unpack("<IIIIQQQ", payload)
            self.queue = (size, *rings)
        return b"" if number in (SET_FEATURES, SET_VQUEUE) else None

    # The device

    def kick(self, index):
        """Fill every buffer of the queue with random bytes."""
        if index or not self.queue:
            return
        size, descriptors, available, used = self.queue
        memory = self.server.guest_memory
        [index] = struct.unpack("<H", memory(available + 2, 2))
        while self.used != index:
            [head] = struct.unpack("<H", memory(available + 4 + 2 * (self.used % size), 2))
            address, length, _, _ = struct.unpack("<QIHH", memory(descriptors + 16 * head, 16))
            memory(address, length)[:] = os.urandom(length)
            memory(used + 4 + 8 * (self.used % size), 8)[:] = struct.pack("<II", head, length)
            self.used = (self.used + 1) & 0xFFFF
            memory(used + 2, 2)[:] = struct.pack("<H", self.used)
        self.server.interrupt(0)
