# SPDX-License-Identifier: GPL-2.0-only
"""The guest that looks at a clock, and those beside it, against the device side in Python."""

import struct
import unittest

from scripts import say, wait
from testbed import fake_window, mmio_sock, neighbours
from testbed.fake_driver import Disk
from testbed.neighbour_kinds import KINDS
from testbed.neighbours import Neighbour
from testbed.split_ring import NEXT, WRITE
from testbed.steady_guest import SteadyGuest, TimedGuest
from testbed.tests.test_fake_guest import GuestTest, PageFake


class DiskFake(PageFake):
    """A disk that has what is written to it, but for what LIES says."""

    device_id = Disk.ID
    lies = False

    def __init__(self):
        super().__init__()
        self.sectors = {}

    def kick(self, index):
        memory = self.server.guest_memory
        size, descriptors, available, used = self.queue
        [head] = struct.unpack("<H", memory(available + 4 + 2 * (self.used % size), 2))
        chain, flags = [], NEXT
        while flags & NEXT:
            address, length, flags, following = struct.unpack(
                "<QIHH", memory(descriptors + 16 * (chain[-1][3] if chain else head), 16))
            chain.append((address, length, flags, following))
        kind, _, sector = Disk.HEADER.unpack(memory(chain[0][0], 16))
        address, length, flags, _ = chain[1]
        if kind == Disk.OUT:
            self.sectors[sector] = bytes(memory(address, length))
        elif flags & WRITE and not self.lies:
            memory(address, length)[:] = self.sectors[sector]
        memory(chain[-1][0], 1)[:] = bytes([Disk.OK])
        memory(used + 4 + 8 * (self.used % size), 8)[:] = struct.pack("<II", head, 1)
        self.used = (self.used + 1) & 0xFFFF
        memory(used + 2, 2)[:] = struct.pack("<H", self.used)


class Steady(GuestTest):
    def steady(self, device):
        """A guest that is timed, and what it does."""
        self.serve(device)
        guest = TimedGuest(device.server.path, seconds=5)
        self.addCleanup(guest.close)
        return guest.connect(), SteadyGuest(guest)

    def test_counts_what_was_served(self):
        device = DiskFake()
        guest, steady = self.steady(device)
        guest.times.clear()
        for _ in range(20):
            steady.step()
        self.assertEqual(steady.served, 40)
        self.assertEqual(device.used, 40)
        # A kick for each request, a doorbell for each message
        self.assertEqual(len(guest.times), 60)
        self.assertGreater(min(guest.times), 0)

    def test_for_some_time(self):
        _, steady = self.steady(DiskFake())
        steady.run(0.05)
        self.assertGreater(steady.served, 1)

    def test_wrong_data_is_seen(self):
        device = DiskFake()
        _, steady = self.steady(device)
        device.lies = True
        with self.assertRaisesRegex(ValueError, "sector 0"):
            steady.step()

    def test_a_device_that_is_reset_is_seen(self):
        device = DiskFake()
        _, steady = self.steady(device)
        device.status = 0x40
        with self.assertRaisesRegex(ValueError, "status"):
            steady.step()


class Processes(GuestTest):
    def neighbour(self, kind="idle"):
        """One that is not at work yet, called s."""
        neighbour = Neighbour(kind, self.directory, "s", 1)
        self.addCleanup(neighbour.kill)
        return neighbour

    def test_windows(self):
        for kind, made in KINDS.items():
            windows = neighbours.windows(kind, "/d", "n")
            paths = neighbours.backend_paths(kind, "/d", "n")
            self.assertEqual(len(windows), len(made.windows))
            self.assertEqual([window for window in windows if "socket=/d/n-backend-" in window],
                             [window for window in windows if "socket=" in window])
            self.assertEqual(len(paths), sum("socket=" in window for window in windows))
        self.assertEqual(self.neighbour("slow").windows,
                         [f"device=i2c,socket={self.directory}/s-backend-0"])

    def test_idle_until_its_end(self):
        device = fake_window.Fake()
        self.serve(device)
        neighbour = self.neighbour().start()
        self.assertEqual(device.status, 15)
        self.assertEqual(neighbour.stop(), 0)

    def strange(self, device):
        """A Server with DEVICE, for those of whom it may think what it likes."""
        server = mmio_sock.Server(self.directory / "s", device)
        self.addCleanup(server.stop)
        return server.__enter__()

    def test_counts_its_steps(self):
        server = self.strange(mmio_sock.Device())
        neighbour = self.neighbour("fuzz").start()
        begin = len(server.accesses)
        wait.until(lambda: len(server.accesses) > begin + 100, 5)
        self.assertGreater(neighbour.stop(), 3)

    def test_says_why_it_does_not_start(self):
        neighbour = self.neighbour("fuzz")
        neighbour.words[-1] = "no number"
        with self.assertRaisesRegex(say.Error, "(?s)does not start.*ValueError"):
            neighbour.start()

    def test_says_why_it_ended(self):
        server = self.strange(fake_window.Fake())
        neighbour = self.neighbour("flood").start()
        server.stop()
        neighbour.process.wait(5)
        with self.assertRaisesRegex(say.Error, "(?s)has failed.*Gone"):
            neighbour.stop()


if __name__ == "__main__":
    unittest.main()
