# SPDX-License-Identifier: GPL-2.0-only
"""The guest in Python, against the device side in Python."""

import errno
import shutil
import struct
import tempfile
import threading
import time
import unittest
from pathlib import Path

from testbed import fake_driver, fake_guest, fake_window, mmio_sock
from testbed.fake_driver import Driver
from testbed.fake_guest import FakeGuest
from testbed.split_ring import Ring


class GuestTest(unittest.TestCase):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)

    def serve(self, device, **options):
        """A Server with DEVICE; returns a guest that is not connected yet."""
        server = mmio_sock.Server(self.directory / "s", device, **options)
        self.addCleanup(server.__exit__)
        server.__enter__()
        guest = FakeGuest(server.path, seconds=5)
        self.addCleanup(guest.close)
        return guest


class Connection(GuestTest):
    def test_refused(self):
        guest = self.serve(mmio_sock.Device(), error=errno.EBUSY)
        with self.assertRaises(fake_guest.Refused) as caught:
            guest.connect()
        self.assertEqual(caught.exception.error, errno.EBUSY)

    def test_silence_ends_with_the_deadline(self):
        guest = self.serve(mmio_sock.Device(), silent=True)
        guest.seconds = 0.2
        with self.assertRaises(TimeoutError):
            guest.connect()

    def test_closed_in_an_access(self):
        class Dies(mmio_sock.Device):
            def read(self, offset, size):
                raise mmio_sock.Gone

        guest = self.serve(Dies()).connect()
        with self.assertRaises(fake_guest.Gone):
            guest.read(0)
        guest.connect()

    def test_connects_when_somebody_is_there(self):
        device = mmio_sock.Device()
        guest = self.serve(device, error=errno.EBUSY)
        guest.seconds = 0.1
        with self.assertRaises(fake_guest.Refused):
            guest.connect_soon()
        guest.seconds = 5
        threading.Timer(0.05, setattr, [device.server, "error", 0]).start()
        self.assertEqual(guest.connect_soon().read(0), 0)

    def test_interrupts(self):
        device = mmio_sock.Device()
        guest = self.serve(device).connect()
        self.assertFalse(guest.wait_bell(0))
        device.server.interrupt(0)
        self.assertTrue(guest.wait_bell())
        self.assertEqual(guest.interrupts(), 1)
        self.assertEqual(guest.interrupts(), 0)

    def test_memory(self):
        device = mmio_sock.Device()
        guest = self.serve(device).connect()
        address = guest.allocate(3)
        guest.put(address, b"abc")
        self.assertEqual(bytes(device.server.guest_memory(address, 3)), b"abc")
        self.assertGreaterEqual(guest.allocate(1, 4096), address + 3)
        with self.assertRaises(MemoryError):
            guest.allocate(guest.size)


class PageFake(fake_window.Fake):
    """Responses in the message page, LATE seconds after the doorbell."""

    bus_features = 0x0011
    late = 0
    page = 0

    def write(self, offset, size, value):
        if offset == fake_window.PAGE:
            self.page = value & ~0xFFF
        elif offset == fake_window.DOORBELL:
            memory = self.server.guest_memory(self.page, 4096)
            length = fake_window.HEADER.unpack_from(memory)[4]
            self.take(bytes(memory[:length]))
            if self.late:
                threading.Timer(self.late, self.respond).start()
            else:
                self.respond()
        else:
            super().write(offset, size, value)

    def respond(self):
        """Put the response into the page."""
        memory = self.server.guest_memory(self.page, 4096)
        memory[1024:1024 + len(self.response)] = self.response


class Drivers(GuestTest):
    def bring_up(self, driver):
        self.assertEqual(driver.info()[0], fake_window.RNG)
        self.assertEqual(driver.features(), fake_driver.VERSION_1)
        self.assertEqual(driver.up(), 15)
        buffer = driver.guest.allocate(64)
        self.assertEqual(driver.request([(buffer, 64, True)]), 64)
        self.assertNotEqual(driver.guest.get(buffer, 64), bytes(64))
        self.assertTrue(driver.guest.interrupts() & 1)
        self.assertEqual(driver.set_status(0), 0)

    def test_window_mode(self):
        self.bring_up(Driver(self.serve(fake_window.Fake()).connect()))

    def test_page_mode(self):
        self.bring_up(Driver(self.serve(PageFake()).connect(), page=True))

    def test_no_response(self):
        driver = Driver(self.serve(fake_window.Fake()).connect())
        self.assertIsNone(driver.call(0x33))
        self.assertIsNone(driver.config(0, 4))

    def test_no_response_in_the_page(self):
        driver = Driver(self.serve(PageFake()).connect(), page=True)
        self.assertIsNone(driver.call(0x33))

    def test_late_response(self):
        device = PageFake()
        device.late = 0.05
        driver = Driver(self.serve(device).connect(), page=True, late=True)
        self.assertEqual(driver.status(), 0)

    def test_late_response_has_a_deadline(self):
        driver = Driver(self.serve(PageFake()).connect(), page=True, late=True)
        driver.guest.seconds = 0.2
        start = time.monotonic()
        self.assertIsNone(driver.call(0x33))
        self.assertGreaterEqual(time.monotonic() - start, 0.2)

    def test_another_response_is_an_error(self):
        class Other(fake_window.Fake):
            def spoil(self, number, response):
                return response[:4] + b"\xff\xff" + response[6:]

        driver = Driver(self.serve(Other()).connect())
        with self.assertRaises(ValueError):
            driver.status()


class Rings(unittest.TestCase):
    def setUp(self):
        self.guest = FakeGuest("/nonexistent", 1 << 16)
        self.addCleanup(self.guest.close)
        self.ring = Ring(self.guest, 4)

    def complete(self, at, head, length):
        """What the device writes."""
        self.guest.put(self.ring.used + 4 + 8 * (at % 4), struct.pack("<II", head, length))
        self.guest.put(self.ring.used + 2, struct.pack("<H", at + 1))

    def test_chain(self):
        head = self.ring.add([(0x1000, 16, False), (0x2000, 32, True)])
        self.assertEqual(struct.unpack("<HHH", self.guest.get(self.ring.available, 6)),
                         (0, 1, head))
        address, length, flags, following = struct.unpack(
            "<QIHH", self.guest.get(self.ring.descriptors + 16 * head, 16))
        self.assertEqual((address, length, flags), (0x1000, 16, 1))
        self.assertEqual(struct.unpack(
            "<QIHH", self.guest.get(self.ring.descriptors + 16 * following, 16)),
                         (0x2000, 32, 2, 0))

    def test_descriptors_come_back(self):
        for turn in range(10):
            head = self.ring.add([(0, 1, False)] * 4)
            self.assertEqual(self.ring.free, [])
            self.complete(turn, head, turn)
            self.assertEqual(self.ring.wait(1, 1), [(head, turn)])
        self.assertEqual(sorted(self.ring.free), [0, 1, 2, 3])

    def test_out_of_order(self):
        first, second = (self.ring.add([(0, 1, False)]) for _ in range(2))
        self.complete(0, second, 7)
        self.complete(1, first, 8)
        self.assertEqual(self.ring.wait(2, 1), [(second, 7), (first, 8)])

    def test_deadline(self):
        with self.assertRaises(TimeoutError):
            self.ring.wait(1, 0.05)


if __name__ == "__main__":
    unittest.main()
