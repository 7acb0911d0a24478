# SPDX-License-Identifier: GPL-2.0-only
"""The Python end of mmio_sock, against a guest played by this test."""

import os
import shutil
import socket
import struct
import tempfile
import unittest
from pathlib import Path

from testbed import mmio_sock

MEMORY = 1 << 16
PENDING = 0x3000


class Recorder(mmio_sock.Device):
    """Answers offsets, keeps what was written."""

    def __init__(self):
        self.writes = []

    def read(self, offset, size):
        if offset == 0xDEAD:
            raise mmio_sock.Gone
        return offset << 32 | size

    def write(self, offset, size, value):
        self.writes.append((offset, size, value))


class Guest(unittest.TestCase):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.device = Recorder()
        self.server = mmio_sock.Server(self.directory / "s", self.device)
        self.server.thread.start()
        self.addCleanup(self.server.stop)
        self.memory = os.memfd_create("guest")
        os.truncate(self.memory, MEMORY)
        self.addCleanup(os.close, self.memory)
        self.bell, self.server_bell = os.pipe()
        os.set_blocking(self.bell, False)
        for fd in (self.bell, self.server_bell):
            self.addCleanup(os.close, fd)

    def connect(self, magic=mmio_sock.MAGIC):
        guest = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(guest.close)
        guest.settimeout(5)
        guest.connect(self.server.path)
        hello = mmio_sock.HELLO.pack(magic, mmio_sock.VERSION, 1 << 36, 4096, 0x1000,
                                     MEMORY - 0x1000, 0x1000, PENDING, 8, 0)
        socket.send_fds(guest, [hello], [self.memory, self.server_bell])
        return guest

    def access(self, guest, *access):
        guest.sendall(mmio_sock.ACCESS.pack(*access))
        return struct.unpack("=Q", guest.recv(8))[0]

    def welcomed(self):
        guest = self.connect()
        self.assertEqual(struct.unpack("=IIII", guest.recv(16)),
                         (mmio_sock.MAGIC, mmio_sock.VERSION, 0, 0))
        return guest

    def test_layout_is_that_of_the_header(self):
        self.assertEqual([each.size for each in (mmio_sock.HELLO, mmio_sock.WELCOME,
                                                 mmio_sock.ACCESS, mmio_sock.REPLY)],
                         [64, 16, 24, 8])

    def test_accesses_reach_the_device_and_are_kept(self):
        guest = self.welcomed()
        self.assertEqual(self.access(guest, mmio_sock.READ, 4, 8, 0), 8 << 32 | 4)
        self.assertEqual(self.access(guest, mmio_sock.WRITE, 8, 16, 2**64 - 1), 0)
        self.assertEqual(self.device.writes, [(16, 8, 2**64 - 1)])
        self.assertEqual(self.server.accesses, [(mmio_sock.READ, 4, 8, 0),
                                                (mmio_sock.WRITE, 8, 16, 2**64 - 1)])

    def test_interrupt_sets_its_bit_and_rings(self):
        self.welcomed()
        self.server.interrupt(5)
        self.assertEqual(os.pread(self.memory, 8, PENDING), struct.pack("=Q", 1 << 5))
        self.assertEqual(os.read(self.bell, 8), b"\0")

    def test_guest_memory_is_shared_and_bounded(self):
        self.welcomed()
        self.server.guest_memory(0x2000, 4)[:] = b"abcd"
        self.assertEqual(os.pread(self.memory, 4, 0x2000), b"abcd")
        for address in (0xFFF, MEMORY - 3):
            with self.assertRaises(ValueError):
                self.server.guest_memory(address, 4)

    def test_gone_closes_without_an_answer_and_the_next_guest_is_served(self):
        guest = self.welcomed()
        guest.sendall(mmio_sock.ACCESS.pack(mmio_sock.READ, 4, 0xDEAD, 0))
        self.assertEqual(guest.recv(8), b"")
        self.welcomed()
        self.assertEqual(self.server.connections, 2)

    def test_a_stranger_is_a_problem_that_is_kept(self):
        guest = self.connect(magic=1)
        self.assertEqual(guest.recv(16), b"")
        self.server.stop()
        self.assertIsInstance(self.server.problem, ValueError)


if __name__ == "__main__":
    unittest.main()
