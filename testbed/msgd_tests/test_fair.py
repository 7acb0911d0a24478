# SPDX-License-Identifier: GPL-2.0-only
"""What a guest asks for holds up no other guest, no other window, and no command."""

import struct

from testbed.fake_driver import VERSION_1, Disk
from testbed.msgd_tests.case import MsgdTest

RINGS = 64
SECTORS = 65536


class Fair(MsgdTest):
    def assert_all_answer(self, server, guest, other):
        """Another guest, another window of this one, and the control socket."""
        self.assert_answers(other)
        self.assert_answers(guest, "another window's access", window=1)
        with self.soon("a control command"):
            server.ask("list")

    def test_request_that_makes_the_next_one(self):
        """A disk read whose buffer is the ring itself: there is always another request."""
        server = self.serve([f"device=blk,size={SECTORS * 512}", "device=i2c"],
                            {"other": ["device=rng"]})
        other = self.guest("other")
        guest = self.guest(windows=2, size=16 << 20)
        disk = Disk(guest, room=16 + (1 << 20))
        disk.up()
        self.fill(disk)
        ring = disk.rings[0]
        disk.up()
        header = ring.available + 0x100
        ring.describe(0, header, 16, 1, 1)
        ring.describe(1, ring.available, 512, 3, 2)
        ring.describe(2, disk.answer, 1, 2)
        guest.put(header, Disk.HEADER.pack(Disk.IN, 0, 0))
        ring.offer(0)
        with self.soon("the kick"):
            disk.kick()
        self.wait(lambda: self.served(guest, ring) > 3 * RINGS, "more than a turn")
        self.assert_all_answer(server, guest, other)
        with self.soon("a reset"):
            disk.set_status(0)
        self.assert_disk_works(guest)

    def served(self, guest, ring):
        """The used index."""
        return struct.unpack("<H", guest.get(ring.used + 2, 2))[0]

    def fill(self, disk):
        """Each sector is a ring with one more request, and the header of the next one."""
        for start in range(0, SECTORS, 2048):
            data = bytearray(1 << 20)
            for at in range(2048):
                number = start + at
                struct.pack_into("<HH", data, at * 512, 0, (number + 2) & 0xFFFF)
                Disk.HEADER.pack_into(data, at * 512 + 0x100, Disk.IN, 0, (number + 1) % SECTORS)
            self.assertEqual(disk.store(start, bytes(data)), Disk.OK)

    def test_much_work_for_a_request(self):
        """Each request clears the disk sixteen times over, or is refused."""
        server = self.serve([f"device=blk,size={256 << 20}", "device=i2c"],
                            {"other": ["device=rng"]})
        other = self.guest("other")
        guest = self.guest(windows=2)
        disk = Disk(guest)
        disk.up(VERSION_1 | Disk.ZEROES_BIT)
        guest.put(disk.header, Disk.HEADER.pack(Disk.WRITE_ZEROES, 0, 0))
        guest.put(disk.data, Disk.RANGE.pack(0, (256 << 20) // 512, 0) * 16)
        for number in range(16):
            disk.rings[0].add([(disk.header, 16, False), (disk.data, 256, False),
                               (disk.answer + number, 1, True)])
        with self.soon("the kick"):
            disk.kick()
        for _ in range(5):
            self.assert_all_answer(server, guest, other)
        with self.soon("a reset"):
            disk.set_status(0)
        self.assert_disk_works(guest)
