# SPDX-License-Identifier: GPL-2.0-only
"""The driver's end of a split virtqueue, in a FakeGuest's memory."""

import struct
import time

NEXT, WRITE, INDIRECT = 1, 2, 4

DESCRIPTOR = struct.Struct("<QIHH")
USED = struct.Struct("<II")
U16 = struct.Struct("<H")
# So long is looked without a pause: most requests are served by then
SPIN_SECONDS = 0.002
PAUSE_SECONDS = 0.0005


class Ring:
    """SIZE descriptors and what belongs to them, at addresses of its own in GUEST."""

    def __init__(self, guest, size):
        self.guest, self.size = guest, size
        self.descriptors = guest.allocate(16 * size, 4096)
        self.available = guest.allocate(6 + 2 * size, 4096)
        self.used = guest.allocate(6 + 8 * size, 4096)
        self.clear()

    @property
    def addresses(self):
        """What the device is told."""
        return self.descriptors, self.available, self.used

    def clear(self):
        """As a driver finds it after a reset."""
        for address, length in ((self.descriptors, 16 * self.size),
                                (self.available, 6 + 2 * self.size),
                                (self.used, 6 + 8 * self.size)):
            self.guest.put(address, bytes(length))
        self.free = list(range(self.size))
        self.chains = {}
        self.index = self.taken = 0

    def describe(self, number, address, length, flags, following=0):
        """Write descriptor NUMBER as it is said, right or wrong."""
        self.guest.put(self.descriptors + 16 * number,
                       DESCRIPTOR.pack(address, length, flags, following))

    def offer(self, head):
        """Make HEAD available, right or wrong."""
        self.guest.put(self.available + 4 + 2 * (self.index % self.size), U16.pack(head))
        self.index = (self.index + 1) & 0xFFFF
        self.guest.put(self.available + 2, U16.pack(self.index))

    def add(self, buffers):
        """Make a request of BUFFERS, each (address, length, writable), available."""
        chain = [self.free.pop() for _ in buffers]
        for number, following, (address, length, writable) in zip(
                chain, [*chain[1:], None], buffers):
            flags = (WRITE if writable else 0) | (0 if following is None else NEXT)
            self.describe(number, address, length, flags, following or 0)
        self.chains[chain[0]] = chain
        self.offer(chain[0])
        return chain[0]

    def completed(self):
        """[(head, used length)] of what the device is done with and was not taken yet."""
        [index] = U16.unpack(self.guest.get(self.used + 2, 2))
        found = []
        while self.taken != index:
            head, length = USED.unpack(
                self.guest.get(self.used + 4 + 8 * (self.taken % self.size), 8))
            self.taken = (self.taken + 1) & 0xFFFF
            self.free += self.chains.pop(head)
            found.append((head, length))
        return found

    def wait(self, count=1, seconds=10):
        """At least COUNT of completed(); TimeoutError if they do not come."""
        found, start = [], time.monotonic()
        while True:
            found += self.completed()
            if len(found) >= count:
                return found
            passed = time.monotonic() - start
            if passed > seconds:
                raise TimeoutError(f"{len(found)} of {count} requests are completed")
            if passed > SPIN_SECONDS:
                time.sleep(PAUSE_SECONDS)
