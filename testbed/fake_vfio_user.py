# SPDX-License-Identifier: GPL-2.0-only
"""A VMM's end of the vfio-user protocol, and the guest in it: what QEMU's vfio-user-pci is
to virtio-msgd, without a VM. It comes up in a moment, and does what no VMM would.

FakeVmm is a FakeGuest that comes another way: fake_driver has the driver of its device.
"""

import contextlib
import errno
import json
import os
import select
import socket
import struct

from testbed import mmio_sock
from testbed.fake_guest import MEMORY, OFFSET, SECONDS, FakeGuest, Gone, Refused

HEADER = struct.Struct("=HHIII")
VERSION_HEADER = struct.Struct("=HH")
MAP = struct.Struct("=IIQQQ")
UNMAP = struct.Struct("=IIQQ")
INFO = struct.Struct("=IIII")
REGION = struct.Struct("=IIIIQQ")
IRQS = struct.Struct("=IIIII")
ACCESS = struct.Struct("=QII")

(VERSION, DMA_MAP, DMA_UNMAP, GET_INFO, GET_REGION_INFO, GET_IRQ_INFO, SET_IRQS, REGION_READ,
 REGION_WRITE, RESET) = 1, 2, 3, 4, 5, 7, 8, 9, 10, 13
REPLY, NO_REPLY, ERROR = 0x01, 0x10, 0x20

READABLE, WRITABLE = 1, 2
BAR0, CONFIG = 0, 7
MSI, MSIX = 1, 2
DATA_NONE, DATA_EVENTFD, TRIGGER = 1, 4, 32

MAX_FDS = 16
# What QEMU says, more or less
CAPABILITIES = {"max_msg_fds": MAX_FDS, "max_data_xfer_size": 1 << 20,
                "max_dma_maps": 65535, "pgsizes": 4096, "write_multiple": True}


class FakeVmm(FakeGuest):
    """A VMM with a function served at PATH, and SIZE bytes of memory for its guest.

    POSTED: stores are not waited for, as QEMU has it. SHARED: the memory's descriptor goes
    with it. VECTORS: how many interrupts it sets up.
    """

    def __init__(self, path, size=8 << 20, posted=False, shared=True, vectors=0,
                 seconds=SECONDS):
        super().__init__(path, size, 1, seconds)
        self.posted, self.shared, self.vectors = posted, shared, vectors
        self.number = 0
        self.capabilities = {}
        self.events = []

    # Messages

    def send(self, command, payload=b"", flags=0, fds=()):
        """A message that is not waited for."""
        self.number = (self.number + 1) & 0xFFFF
        header = HEADER.pack(self.number, command, HEADER.size + len(payload), flags, 0)
        try:
            if fds:
                socket.send_fds(self.socket, [header + payload], list(fds))
            else:
                self.socket.sendall(header + payload)
        except ConnectionError as problem:
            raise Gone(str(problem)) from problem

    def reply(self):
        """The reply to the last message; raises Refused."""
        number, _, size, flags, error = HEADER.unpack(self.receive(HEADER.size))
        if number != self.number or not flags & REPLY:
            raise ValueError(f"no reply to message {self.number}: {number}, flags {flags:#x}")
        payload = self.receive(size - HEADER.size) if size > HEADER.size else b""
        if flags & ERROR:
            raise Refused(error)
        return payload

    def ask(self, command, payload=b"", fds=()):
        """A message and its reply."""
        self.send(command, payload, 0, fds)
        return self.reply()

    # The connection

    def connect(self):
        """As a VMM that has just been started; raises Refused."""
        self.disconnect()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(self.seconds)
        self.socket.connect(self.path)
        try:
            self.say_version()
        except Refused:
            self.disconnect()
            raise
        self.map_all()
        if self.vectors:
            self.set_irqs(self.vectors)
        return self

    def say_version(self, major=0):
        """The first words; what virtio-msgd says of itself is kept."""
        text = json.dumps({"capabilities": CAPABILITIES}).encode() + b"\0"
        answer = self.ask(VERSION, VERSION_HEADER.pack(major, 1) + text)
        self.capabilities = json.loads(answer[VERSION_HEADER.size:].rstrip(b"\0"))["capabilities"]

    def disconnect(self):
        """Close the connection, as if the VMM had ended."""
        if self.socket:
            self.socket.close()
        self.socket = None
        for event in self.events:
            os.close(event)
        self.events = []

    # What the function is

    def region(self, index):
        """(flags, size) of a region."""
        answer = self.ask(GET_REGION_INFO, REGION.pack(REGION.size, 0, index, 0, 0, 0))
        _, flags, _, _, size, _ = REGION.unpack(answer)
        return flags, size

    def irqs(self, index):
        """How many interrupts of a kind there are."""
        return INFO.unpack(self.ask(GET_IRQ_INFO, INFO.pack(INFO.size, 0, index, 0)))[3]

    def config(self, offset, size):
        """SIZE bytes of config space."""
        answer = self.ask(REGION_READ, ACCESS.pack(offset, CONFIG, size))
        return answer[ACCESS.size:]

    def set_config(self, offset, data):
        """Write to config space."""
        self.ask(REGION_WRITE, ACCESS.pack(offset, CONFIG, len(data)) + data)

    def reset(self):
        """Reset the function."""
        self.ask(RESET)

    # Accesses

    def begin(self, operation, size, offset, value=0):
        """An access that is not waited for: finish() has its value."""
        where = ACCESS.pack(offset, BAR0, size)
        if operation == mmio_sock.READ:
            self.send(REGION_READ, where)
        else:
            self.send(REGION_WRITE, where + value.to_bytes(size, "little"))

    def finish(self):
        """What the access that was begun has loaded."""
        return int.from_bytes(self.reply()[ACCESS.size:], "little")

    def write(self, offset, value, size=4):
        """Store VALUE, SIZE bytes, into BAR 0."""
        if self.posted:
            self.send(REGION_WRITE,
                      ACCESS.pack(offset, BAR0, size) + value.to_bytes(size, "little"), NO_REPLY)
        else:
            super().write(offset, value, size)

    # Memory and interrupts

    def map_all(self):
        """Give all of the memory."""
        self.map(MEMORY, self.size, OFFSET, self.shared)

    def map(self, address, size, offset, shared=True, flags=READABLE | WRITABLE):
        """Give SIZE bytes at ADDRESS, which are at OFFSET of the file."""
        self.ask(DMA_MAP, MAP.pack(MAP.size, flags, offset if shared else 0, address, size),
                 [self.file] if shared else [])

    def unmap(self, address, size):
        """Take it away."""
        self.ask(DMA_UNMAP, UNMAP.pack(UNMAP.size, 0, address, size))

    def set_irqs(self, count, index=MSIX):
        """Give an eventfd for each of the first COUNT vectors, as many at a time as go."""
        new = [os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) for _ in range(count)]
        self.events += new
        for start in range(0, count, MAX_FDS):
            some = new[start:start + MAX_FDS]
            self.ask(SET_IRQS, IRQS.pack(IRQS.size, DATA_EVENTFD | TRIGGER, index, start,
                                         len(some)), some)

    def raised(self):
        """How often each vector was raised since the last time."""
        counts = []
        for event in self.events:
            counts.append(0)
            with contextlib.suppress(BlockingIOError):
                counts[-1] = os.eventfd_read(event)
        return counts

    def wait_vector(self, vector, seconds=SECONDS):
        """Whether VECTOR is raised in that time."""
        return bool(select.select([self.events[vector]], [], [], seconds)[0])

    def is_gone(self):
        """Whether the other side has closed the connection, in order."""
        try:
            while self.socket.recv(4096):
                pass
        except OSError as problem:
            if problem.errno == errno.ECONNRESET:
                raise Gone("reset, not closed") from problem
            raise
        return True
