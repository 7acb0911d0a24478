# SPDX-License-Identifier: GPL-2.0-only
"""The built-in devices, by the letter of the specification."""

import struct

from testbed.fake_driver import VERSION_1, Disk, Driver
from testbed.msgd_tests.case import MsgdTest

WRITEBACK = 32      # offset in a disk's config


class DiskTest(MsgdTest):
    def disk(self, features=VERSION_1, window="device=blk"):
        """A disk's driver."""
        self.serve([window])
        disk = Disk(self.guest())
        self.assertEqual(disk.up(features), 15)
        return disk


class Flags(DiskTest):
    """Of the ranges of DISCARD and WRITE_ZEROES (virtio 1.2, 5.2.6.2)."""

    def status(self, disk, kind, flags):
        """The outcome for a sector that is not clear, and whether it is then."""
        self.assertEqual(disk.store(0, b"Z" * 512), Disk.OK)
        status, _, _ = disk.transfer(kind, 0, Disk.RANGE.pack(0, 1, flags))
        return status, disk.load(0) == bytes(512)

    def test_discard(self):
        disk = self.disk(VERSION_1 | Disk.DISCARD_BIT)
        for flags in (1, 2, 0x80000000):
            self.assertEqual(self.status(disk, Disk.DISCARD, flags), (Disk.UNSUPP, False))
        self.assertEqual(self.status(disk, Disk.DISCARD, 0)[0], Disk.OK)

    def test_write_zeroes(self):
        disk = self.disk(VERSION_1 | Disk.ZEROES_BIT)
        for flags in (2, 0x80000000, 3):
            self.assertEqual(self.status(disk, Disk.WRITE_ZEROES, flags), (Disk.UNSUPP, False))
        for flags in (0, 1):
            self.assertEqual(self.status(disk, Disk.WRITE_ZEROES, flags), (Disk.OK, True))

    def test_nothing_is_cleared_of_a_bad_request(self):
        disk = self.disk(VERSION_1 | Disk.ZEROES_BIT)
        self.assertEqual(disk.store(0, b"Z" * 512), Disk.OK)
        ranges = Disk.RANGE.pack(0, 1, 0) + Disk.RANGE.pack(1, 1, 2)
        self.assertEqual(disk.transfer(Disk.WRITE_ZEROES, 0, ranges)[0], Disk.UNSUPP)
        self.assertEqual(disk.load(0), b"Z" * 512)


class CacheMode(DiskTest):
    """VIRTIO_BLK_F_CONFIG_WCE (virtio 1.2, 5.2.5.2)."""

    WITH_FLUSH = VERSION_1 | Disk.WCE_BIT | Disk.FLUSH_BIT

    def test_ends_with_the_driver(self):
        disk = self.disk(self.WITH_FLUSH)
        self.assertEqual(disk.config(WRITEBACK, 1), b"\1")
        self.assertTrue(disk.set_config(WRITEBACK, b"\0"))
        self.assertEqual(disk.config(WRITEBACK, 1), b"\0")
        disk.set_status(0)
        self.assertEqual(disk.config(WRITEBACK, 1), b"\1")
        disk.up(self.WITH_FLUSH)
        self.assertEqual(disk.config(WRITEBACK, 1), b"\1")

    def test_without_flush(self):
        disk = self.disk(VERSION_1 | Disk.WCE_BIT)
        self.assertEqual(disk.config(WRITEBACK, 1), b"\0")


class UsedLength(MsgdTest):
    """So many bytes from the beginning were written (virtio 1.2, 2.7.8.2)."""

    def assert_honest(self, length, data):
        """Nothing of the first LENGTH bytes of DATA, what can be written, was left alone."""
        self.assertLessEqual(length, len(data))
        self.assertNotIn(Disk.UNTOUCHED, data[:length])

    def assert_refused(self, disk, kind, sector, data=b"", room=512, wanted=Disk.IOERR):
        """A request fails, and its used length is honest."""
        status, length, answer = disk.transfer(kind, sector, data, room)
        self.assertEqual(status, wanted)
        self.assert_honest(length, answer + bytes([status]))

    def test_disk(self):
        self.serve(["device=blk,size=1048576"])
        disk = Disk(self.guest())
        self.assertEqual(disk.up(), 15)
        self.assert_refused(disk, Disk.IN, 1 << 40)
        self.assert_refused(disk, Disk.IN, 2047, room=1024)
        self.assert_refused(disk, 99, 0, wanted=Disk.UNSUPP)
        self.assert_refused(disk, Disk.OUT, 1 << 40, bytes(512))
        self.assertEqual(disk.transfer(Disk.IN, 0, room=512)[1], 513)

    def transfer(self, driver, address, flags, written=b"", room=0):
        """An I2C message; returns its status, used length, and all that can be written."""
        guest = driver.guest
        header = guest.allocate(8)
        guest.put(header, struct.pack("<HHI", address << 1, 0, flags))
        answer = guest.allocate(room + 1)
        guest.put(answer, bytes([Disk.UNTOUCHED]) * (room + 1))
        buffers = [(header, 8, False)]
        if written:
            data = guest.allocate(len(written))
            guest.put(data, written)
            buffers.append((data, len(written), False))
        if room:
            buffers.append((answer, room, True))
        buffers.append((answer + room, 1, True))
        length = driver.request(buffers)
        data = guest.get(answer, room + 1)
        return data[room], length, data

    def test_i2c(self):
        self.serve(["device=i2c"])
        driver = Driver(self.guest())
        self.assertEqual(driver.up(VERSION_1 | 1), 15)
        for address, room in ((0x50, 4), (0x50, 0), (0x68, 8193)):
            status, length, data = self.transfer(driver, address, 2, room=room)
            self.assertEqual(status, 1, (address, room))
            self.assert_honest(length, data)
        status, length, data = self.transfer(driver, 0x68, 2, room=4)
        self.assertEqual((status, length), (0, 5))

    def test_rng(self):
        self.serve(["device=rng"])
        driver = Driver(self.guest())
        self.assertEqual(driver.up(), 15)
        buffer = driver.guest.allocate(64)
        self.assertEqual(driver.request([(buffer, 16, False)]), 0)
        self.assertEqual(driver.request([(buffer, 16, True), (buffer + 16, 48, True)]), 64)


class Set(MsgdTest):
    """A command is carried out, or it is not."""

    def test_all_or_nothing(self):
        server = self.serve(["device=blk"])
        disk = Disk(self.guest())
        size = disk.config(0, 8)
        self.assertRaisesRegex(Exception, "colour is not known here", server.ask, "set", "0",
                               size="2097152", colour="red")
        self.assertEqual(disk.config(0, 8), size)
        server.ask("set", "0", size="2097152")
        self.assertEqual(disk.config(0, 8), (4096).to_bytes(8, "little"))

    def test_add_too(self):
        server = self.serve(["device=blk", "page=on"])
        self.assertRaisesRegex(Exception, "colour is not known here", server.ask, "add", "1",
                               device="rng", colour="red")
        windows = server.ask("list")["carriers"][0]["windows"]
        self.assertEqual([each["device"] for each in windows], ["blk", None])
