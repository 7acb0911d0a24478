# SPDX-License-Identifier: GPL-2.0-only
"""The server's end of arch/um/drivers/mmio_sock.h, for device sides that misbehave.

virtio-msgd is the device side that behaves. Tests that need one which does not
subclass Device and let a Server run it in a thread.
"""

import mmap
import os
import socket
import struct
import threading

MAGIC = 0x6F696D6D
VERSION = 1
READ, WRITE = 1, 2

HELLO = struct.Struct("=IIQQQQQQII")
WELCOME = struct.Struct("=IIII")
ACCESS = struct.Struct("=BB6xQQ")
REPLY = struct.Struct("=Q")


class Gone(Exception):
    """Raised by a Device: the server shall close the connection without an answer."""


class Device:
    """What is in the region. This one reads as zeros and forgets what is written."""

    server = None

    def read(self, offset, size):
        """The guest loads SIZE bytes at OFFSET."""
        return 0

    def write(self, offset, size, value):
        """The guest stores VALUE, SIZE bytes, at OFFSET."""


class Hello:
    """What the guest said of itself, checked."""

    def __init__(self, data):
        (self.magic, self.version, self.base, self.size, self.mem_base, self.mem_size,
         self.mem_offset, self.pending_offset, self.num_irqs, _) = HELLO.unpack(data)
        if (self.magic, self.version) != (MAGIC, VERSION):
            raise ValueError(f"not a mmio_sock guest: {data.hex()}")


class Server:
    """Serves DEVICE at PATH, one connection after the other, until stopped.

    With ERROR (an errno value) it refuses guests; SILENT, it never answers them.
    """

    def __init__(self, path, device, error=0, silent=False):
        self.path, self.device, self.error, self.silent = str(path), device, error, silent
        self.hello = self.memory = self.doorbell = self.connection = None
        self.accesses = []
        self.connections = 0
        self.problem = None
        device.server = self
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()
        if self.problem:
            raise self.problem

    def stop(self):
        """Close everything, as if the process had died."""
        for sock in (self.listener, self.connection):
            if sock:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.thread.join(timeout=5)
        self.listener.close()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def interrupt(self, number=0):
        """Raise interrupt NUMBER."""
        word = self.hello.pending_offset + number // 64 * 8
        [pending] = struct.unpack_from("=Q", self.memory, word)
        struct.pack_into("=Q", self.memory, word, pending | 1 << number % 64)
        try:
            os.write(self.doorbell, b"\0")
        except BlockingIOError:
            pass

    def guest_memory(self, address, size):
        """SIZE bytes of guest memory at guest physical ADDRESS, as a writable view."""
        start = address - self.hello.mem_base
        if start < 0 or start + size > self.hello.mem_size:
            raise ValueError(f"{address:#x} is not guest memory")
        start += self.hello.mem_offset
        return memoryview(self.memory)[start:start + size]

    def _run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connection = connection
            self.connections += 1
            try:
                self._serve(connection)
            except (ConnectionError, Gone):
                pass
            except Exception as problem:  # shown by __exit__
                self.problem = problem
            finally:
                connection.close()
                if self.doorbell is not None:
                    os.close(self.doorbell)
                    self.doorbell = None

    def _serve(self, connection):
        data, fds, _, _ = socket.recv_fds(connection, HELLO.size, 2)
        if len(data) != HELLO.size:
            return
        self.hello = Hello(data)
        memory_fd, self.doorbell = fds
        self.memory = mmap.mmap(memory_fd, self.hello.mem_offset + self.hello.mem_size)
        os.close(memory_fd)
        if self.silent:
            connection.recv(1)
            return
        connection.sendall(WELCOME.pack(MAGIC, VERSION, self.error, 0))
        while not self.error:
            data = connection.recv(ACCESS.size, socket.MSG_WAITALL)
            if len(data) < ACCESS.size:
                return
            connection.sendall(REPLY.pack(self._access(*ACCESS.unpack(data))))

    def _access(self, operation, size, offset, value):
        self.accesses.append((operation, size, offset, value))
        if operation == READ:
            return self.device.read(offset, size) & 0xFFFFFFFFFFFFFFFF
        self.device.write(offset, size, value)
        return 0
