# SPDX-License-Identifier: GPL-2.0-only
"""A driver that does to a device what no driver should, played in a guest with devmem."""

import struct

from testbed.fake_window import (GET_STATUS, HEADER, NEEDS_RESET, QUEUE_NOTIFY, SET_FEATURES,
                                 SET_STATUS, SET_VQUEUE, WINDOW)

BASE = 0x2000000        # where xl puts a guest's first window
BUS_DRIVER = "/sys/bus/platform/drivers/virtio-msg-mmio"
ACKNOWLEDGE_DRIVER, FEATURES_OK, DRIVER_OK = 3, 11, 15
VERSION_1_ACCESS_PLATFORM = 3       # in the second block of features
# A grant reference that no guest has given out
NOT_GRANTED = 0x8000000fff000000


class Driver:
    """In the place of the kernel's driver for the window at BASE, until let_go()."""

    def __init__(self, guest, base=BASE):
        self.guest = guest
        self.base = base
        guest.run(f"echo {base:x}.virtio >{BUS_DRIVER}/unbind")

    def let_go(self):
        """Give the window back to the kernel's driver."""
        self.guest.run(f"echo {self.base:x}.virtio >{BUS_DRIVER}/bind")

    def write(self, offset, value, bits=32):
        """A store to the window."""
        self.guest.run(f"devmem {self.base + offset:#x} {bits} {value:#x}")

    def read(self, offset, bits=32):
        """A load from the window."""
        return int(self.guest.run(f"devmem {self.base + offset:#x} {bits}"), 16)

    def send(self, number, payload):
        """Send a request by the Window register."""
        message = HEADER.pack(0, number, 0, 1, HEADER.size + len(payload)) + payload
        words = struct.unpack(f"<{len(message) // 4}I", message)
        stores = [f"devmem {self.base + WINDOW + 4 * at:#x} 32 {word:#x}"
                  for at, word in enumerate(words)]
        for at in range(0, len(stores), 6):
            self.guest.run(" && ".join(stores[at:at + 6]))

    def set_status(self, status):
        """Set the device's status."""
        self.send(SET_STATUS, struct.pack("<I", status))

    def status(self):
        """The device's status."""
        self.send(GET_STATUS, b"")
        return self.read(WINDOW + HEADER.size)

    def needs_reset(self):
        """Whether the device says so."""
        return bool(self.status() & NEEDS_RESET)

    def negotiate(self):
        """Reset the device, and all that comes before its queues."""
        self.set_status(0)
        self.set_status(ACKNOWLEDGE_DRIVER)
        self.send(SET_FEATURES, struct.pack("<IIII", 0, 2, 1, VERSION_1_ACCESS_PLATFORM))
        self.set_status(FEATURES_OK)

    def set_queue(self, rings, size=16):
        """Enable queue 0 with its three rings at RINGS; whether there was a response."""
        self.send(SET_VQUEUE, struct.pack("<IIIIQQQ", 0, 1, size, 0, *rings))
        return self.read(WINDOW) != 0

    def kick(self, queue=0):
        """Tell of new buffers."""
        self.write(QUEUE_NOTIFY, queue)


class Ring:
    """The rings of queue 0 that the kernel's driver of a guest uses, in its granted memory."""

    GRANT_TABLE = 0x38000000        # in a guest's memory, where Xen puts it
    NEXT, WRITE = 1, 2              # flags of a descriptor

    def __init__(self, guest, index=0):
        self.guest = guest
        # What virtio-msgd noted for the next one: its last word is the queue
        state = guest.machine.run(f"xenstore-read virtio-msgd/{guest.domid}/{index}/state")
        _, size, *rings = (int(word, 16) for word in state.split()[-1].split(":")[:5])
        self.size = size
        self.descriptors, self.available, _ = (self.physical(address) for address in rings)

    def physical(self, address):
        """Where in the guest's memory is what it granted as ADDRESS."""
        reference = (address & ~(1 << 63)) >> 12
        frame = self.guest.run(f"devmem {self.GRANT_TABLE + 8 * reference + 4:#x} 32")
        return int(frame, 16) << 12 | address & 0xfff

    def store(self, address, value, bits):
        """Write to the guest's memory."""
        self.guest.run(f"devmem {address:#x} {bits} {value:#x}")

    def hand_out(self, *buffers):
        """Make a request of BUFFERS, each (address, length, whether it is for the device to
        write), available, and tell the device."""
        for at, (address, length, write) in enumerate(buffers):
            flags = self.WRITE * write | self.NEXT * (at + 1 < len(buffers))
            self.store(self.descriptors + 16 * at, address, 64)
            self.store(self.descriptors + 16 * at + 8, length | flags << 32 | (at + 1) << 48, 64)
        index = int(self.guest.run(f"devmem {self.available + 2:#x} 16"), 16)
        self.store(self.available + 4 + 2 * (index % self.size), 0, 16)
        self.store(self.available + 2, (index + 1) & 0xffff, 16)
        self.store(BASE + QUEUE_NOTIFY, 0, 32)
