# SPDX-License-Identifier: GPL-2.0-only
"""Guests and backends that mean harm do so in many ways, and go on."""

import os
import shutil
import socket
import struct
import tempfile
import unittest
from pathlib import Path

from scripts import wait
from testbed import fake_backend as fake
from testbed import hostile_backend, mmio_sock
from testbed.fake_driver import Driver
from testbed.fake_guest import FakeGuest
from testbed.fake_window import Fake
from testbed.hostile_backend import HostileBackend
from testbed.hostile_guest import HostileGuest, insist


class HostileTest(unittest.TestCase):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = self.directory / "s"


class Recorder(FakeGuest):
    """Keeps what is accessed."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.begun = []

    def begin(self, operation, size, offset, value=0):
        self.begun.append((operation, size, offset, value))
        super().begin(operation, size, offset, value)


class Guest(HostileTest):
    def serve(self, device, windows=1):
        """A device side with DEVICE; returns it, and a guest that is connected to it."""
        server = mmio_sock.Server(self.path, device)
        # That strangers are strange is no problem here
        self.addCleanup(server.stop)
        server.__enter__()
        guest = Recorder(self.path, 1 << 20, windows, seconds=5)
        self.addCleanup(guest.close)
        return server, guest.connect()

    def accesses(self, seed, steps=300):
        """What is accessed in so many steps."""
        server, guest = self.serve(mmio_sock.Device(), 3)
        hostile = HostileGuest(guest, seed)
        for _ in range(steps):
            hostile.step()
        self.assertEqual(hostile.steps, steps)
        guest.close()
        server.stop()
        return guest.begun

    def test_many_ways(self):
        found = self.accesses(1)
        operations, sizes, offsets, values = (set(each) for each in zip(*found))
        self.assertLess({mmio_sock.READ, mmio_sock.WRITE}, operations)
        self.assertLess({1, 2, 4, 8}, sizes)
        self.assertGreater(len(offsets), 50)
        self.assertGreater(len(values), 300)
        self.assertTrue(any(offset >= 3 * 0x200 for offset in offsets))

    def test_a_seed_is_a_sequence(self):
        self.assertEqual(self.accesses(2, 100), self.accesses(2, 100))
        self.assertNotEqual(self.accesses(2, 100), self.accesses(3, 100))

    def test_goes_on_when_it_is_thrown_out(self):
        class Strict(mmio_sock.Device):
            def write(self, offset, size, value):
                if size != 4:
                    raise mmio_sock.Gone

        server, guest = self.serve(Strict())
        hostile = HostileGuest(guest, 4)
        for _ in range(100):
            hostile.step()
        self.assertGreater(hostile.gone, 3)
        self.assertGreater(server.connections, hostile.gone)

    def test_a_device_side_that_is_gone_is_an_error(self):
        server, guest = self.serve(mmio_sock.Device())
        guest.seconds = 0.1
        hostile = HostileGuest(guest, 5)
        server.stop()
        with self.assertRaises(OSError):
            for _ in range(100):
                hostile.step()

    def test_virtio_mmio(self):
        class Stock(mmio_sock.Device):
            def read(self, offset, size):
                return 0x74726976

        server, guest = self.serve(Stock())
        hostile = HostileGuest(guest, 6)
        for _ in range(100):
            hostile.step()
        ready = [access for access in server.accesses if access[:3] == (mmio_sock.WRITE, 4, 0x44)]
        self.assertGreater(len(ready), 3)

    def test_insist(self):
        device = Fake()
        _, guest = self.serve(device)
        insist(Driver(guest))
        self.assertEqual(device.status, 15)
        device.answer = lambda number, payload: None
        insist(Driver(guest))


class Backend(HostileTest):
    def backend(self, **options):
        """A backend that is always wrong, or so often as it is said."""
        backend = HostileBackend(self.path, **{"seed": 1, "rate": 1, **options})
        backend.LATE_SECONDS = 0.01
        self.addCleanup(backend.stop)
        return backend.start()

    def connect(self):
        """A frontend's end."""
        line = socket.socket(socket.AF_UNIX)
        self.addCleanup(line.close)
        line.settimeout(0.05)
        line.connect(str(self.path))
        return line

    def ask(self, line, request=fake.GET_FEATURES, payload=b"", fds=()):
        """What comes for a request; None: nothing. Also the descriptors that came."""
        message = struct.pack("=III", request, 1, len(payload)) + payload
        try:
            socket.send_fds(line, [message], list(fds))
            data, found, _, _ = socket.recv_fds(line, 4096, 8)
        except TimeoutError:
            return None, 0
        except ConnectionError:
            return b"", 0
        for fd in found:
            os.close(fd)
        return data, len(found)

    def test_wrong_in_many_ways_and_goes_on(self):
        self.backend()
        answers, descriptors = set(), 0
        for _ in range(100):
            with self.connect() as line:
                data, found = self.ask(line)
                answers.add(data)
                descriptors += found
        # Silence, the end of the connection, and more
        self.assertLessEqual({None, b""}, answers)
        self.assertGreater(len(answers), 20)
        self.assertGreater(descriptors, 0)

    def test_says_something_before_it_is_asked(self):
        self.backend()
        said = 0
        for _ in range(50):
            with self.connect() as line:
                try:
                    said += bool(line.recv(100))
                except TimeoutError:
                    pass
        self.assertGreater(said, 2)

    def test_right_most_of_the_time(self):
        backend = self.backend(rate=0)
        line = self.connect()
        for _ in range(20):
            self.assertEqual(self.ask(line)[0][12:], struct.pack("=Q", backend.features))
        self.assertEqual(self.ask(line, hostile_backend.GET_INFLIGHT_FD, bytes(24))[0][12:],
                         bytes(16) + b"\1" + bytes(7))

    def test_uses_what_it_is_given(self):
        backend = self.backend()
        bell = os.eventfd(0, os.EFD_NONBLOCK)
        self.addCleanup(os.close, bell)
        asked, rung = b"", 0
        for _ in range(300):
            mine, its = socket.socketpair()
            with mine, its, self.connect() as line:
                mine.setblocking(False)
                self.ask(line, hostile_backend.SET_BACKEND_REQ_FD, fds=[its.fileno()])
                self.ask(line, fake.SET_VRING_CALL, bytes(8), [bell])
                for _ in range(5):
                    self.ask(line)
                try:
                    asked += mine.recv(4096)
                except BlockingIOError:
                    pass
            try:
                rung += os.eventfd_read(bell)
            except BlockingIOError:
                pass
            if asked and rung:
                break
        self.assertTrue(asked)
        self.assertGreater(rung, 0)
        # Nothing is kept when the frontend is gone
        backend.stop()
        self.assertIsNone(backend.asking)
        self.assertEqual(backend.bells, [])

    def test_makes_a_kick_block(self):
        self.backend()
        kick = os.eventfd(0, os.EFD_NONBLOCK)
        self.addCleanup(os.close, kick)
        line = self.connect()
        self.ask(line, fake.SET_VRING_KICK, bytes(8), [kick])
        # Nothing is answered to that
        self.assertTrue(wait.until(lambda: os.get_blocking(kick), 10, 0.001))
        self.assertEqual(os.eventfd_read(kick), fake.BlockingBackend.FULL)


if __name__ == "__main__":
    unittest.main()
