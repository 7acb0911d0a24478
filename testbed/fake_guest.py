# SPDX-License-Identifier: GPL-2.0-only
"""The guest's end of arch/um/drivers/mmio_sock.h: what a User Mode Linux guest is to
virtio-msgd, without a kernel. It comes up in a moment, and does what no kernel would.

Every operation on the socket has a deadline. fake_driver has the driver of a device.
"""

import mmap
import os
import select
import socket
import struct

from scripts import wait
from testbed import mmio_sock

BASE = 0x10000000           # of the region
MEMORY = 0x40000000         # of the memory, for the guest
WINDOW_SIZE = 0x200
PAGE = 4096
# In the file the memory begins here; before it is the bitmap of pending interrupts
OFFSET = PAGE
SECONDS = 10


class Refused(Exception):
    """The device side does not take this guest. ERROR: the errno value."""

    def __init__(self, error):
        super().__init__(os.strerror(error))
        self.error = error


class Gone(ConnectionError):
    """The device side closed the connection."""


class FakeGuest:
    """A guest with SIZE bytes of memory and a region of WINDOWS, connected to PATH."""

    def __init__(self, path, size=8 << 20, windows=1, seconds=SECONDS):
        self.path, self.size, self.windows, self.seconds = str(path), size, windows, seconds
        self.file = os.memfd_create("guest")
        os.ftruncate(self.file, OFFSET + size)
        self.memory = mmap.mmap(self.file, OFFSET + size)
        self.free = MEMORY
        self.socket = None
        self.bell = -1

    def __enter__(self):
        return self.connect()

    def __exit__(self, *_):
        self.close()

    # The connection

    def connect(self):
        """Say hello, as at boot; raises Refused."""
        self.disconnect()
        self.bell, ring = os.pipe()
        os.set_blocking(self.bell, False)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(self.seconds)
        try:
            self.socket.connect(self.path)
            socket.send_fds(self.socket, [self.hello()], [self.file, ring])
        finally:
            os.close(ring)
        _, _, error, _ = mmio_sock.WELCOME.unpack(self.receive(mmio_sock.WELCOME.size))
        if error:
            self.disconnect()
            raise Refused(error)
        return self

    def connect_soon(self):
        """The same as soon as somebody is there who takes it, within the deadline."""
        def attempt():
            try:
                return self.connect()
            except (Refused, ConnectionError, BlockingIOError):
                return None

        return wait.until(attempt, self.seconds, 0.01) or self.connect()

    def hello(self):
        """The first words."""
        return mmio_sock.HELLO.pack(mmio_sock.MAGIC, mmio_sock.VERSION, BASE,
                                    self.windows * WINDOW_SIZE, MEMORY, self.size, OFFSET, 0,
                                    self.windows, 0)

    def receive(self, size):
        """SIZE bytes, within the deadline; raises Gone or TimeoutError."""
        try:
            data = self.socket.recv(size, socket.MSG_WAITALL)
        except ConnectionError as problem:
            raise Gone(str(problem)) from problem
        if len(data) < size:
            raise Gone("the device side has closed the connection")
        return data

    def disconnect(self):
        """Close the connection, as if the guest had ended."""
        if self.socket:
            self.socket.close()
            os.close(self.bell)
        self.socket = None

    def close(self):
        """The guest's end, and that of its memory."""
        self.disconnect()
        if self.file >= 0:
            self.memory.close()
            os.close(self.file)
        self.file = -1

    # Accesses

    def begin(self, operation, size, offset, value=0):
        """An access that is not waited for: finish() has its value."""
        try:
            self.socket.sendall(mmio_sock.ACCESS.pack(operation, size, offset, value))
        except ConnectionError as problem:
            raise Gone(str(problem)) from problem

    def finish(self):
        """What the access that was begun has loaded."""
        [value] = mmio_sock.REPLY.unpack(self.receive(mmio_sock.REPLY.size))
        return value

    def read(self, offset, size=4):
        """Load SIZE bytes of the region."""
        self.begin(mmio_sock.READ, size, offset)
        return self.finish()

    def write(self, offset, value, size=4):
        """Store VALUE, SIZE bytes, into the region."""
        self.begin(mmio_sock.WRITE, size, offset, value)
        self.finish()

    # Memory and interrupts

    def allocate(self, size, align=16):
        """The address of SIZE bytes of memory that nobody else has."""
        address = -(-self.free // align) * align
        if address + size > MEMORY + self.size:
            raise MemoryError(f"the guest has {self.size} bytes")
        self.free = address + size
        return address

    def free_all(self):
        """All memory is nobody's again."""
        self.free = MEMORY

    def put(self, address, data):
        """Write DATA at ADDRESS."""
        at = address - MEMORY + OFFSET
        self.memory[at:at + len(data)] = data

    def get(self, address, size):
        """SIZE bytes at ADDRESS."""
        at = address - MEMORY + OFFSET
        return self.memory[at:at + size]

    def interrupts(self):
        """Which were raised since the last time, a bit each."""
        [pending] = struct.unpack_from("=Q", self.memory)
        # What is raised in between is forgotten here, but has rung the bell
        struct.pack_into("=Q", self.memory, 0, 0)
        return pending

    def wait_bell(self, seconds=SECONDS):
        """Whether the bell rings in that time; interrupts() tells why."""
        if not select.select([self.bell], [], [], seconds)[0]:
            return False
        os.read(self.bell, 4096)
        return True
