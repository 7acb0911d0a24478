# SPDX-License-Identifier: GPL-2.0-only
"""Functions of a VMM, by vfio-user: devices work, memory and VMMs come and go, and what no
VMM would do hurts nobody else."""

import errno
import os
import signal
import struct

from testbed import fake_backend as fake
from testbed import fake_vfio_user as vfio
from testbed.fake_driver import NEEDS_RESET, VERSION_1, Disk, Driver
from testbed.fake_guest import MEMORY, OFFSET, Gone, Refused
from testbed.fake_vfio_user import FakeVmm
from testbed.msgd_tests.case import MAGIC, MsgdTest

RNG, BLK, I2C = 4, 2, 34
SIZE = 8 << 20
QUEUE_VECTOR = 1


class VfioUserTest(MsgdTest):
    def boot(self, window, options="", **vmm):
        """A virtio-msgd with a function that has WINDOW, and a VMM that has it."""
        self.server = self.serve(vmms={f"vm{options}": [window]})
        return self.vmm("vm", **vmm)

    def vmm(self, name="vm", **options):
        """A VMM connected to the socket called NAME."""
        vmm = FakeVmm(self.directory / name, SIZE, **options)
        self.addCleanup(vmm.close)
        return vmm.connect()

    def assert_random(self, driver):
        """The rng gives bytes that nobody has seen."""
        buffer = driver.guest.allocate(64)
        driver.guest.put(buffer, bytes(64))
        self.assertEqual(driver.request([(buffer, 64, True)]), 64)
        self.assertNotEqual(driver.guest.get(buffer, 64), bytes(64))

    def assert_stores(self, disk, sector=3):
        """The disk has what is written to it."""
        data = os.urandom(512)
        self.assertEqual(disk.store(sector, data), Disk.OK)
        self.assertEqual(disk.load(sector), data)
        return data


class Devices(VfioUserTest):
    def test_rng(self):
        vmm = self.boot("device=rng", vectors=2)
        for page in (False, True):
            driver = Driver(vmm, page=page)
            self.assertEqual(driver.info()[0], RNG)
            self.assertEqual(driver.up(), 15)
            vmm.raised()
            self.assert_random(driver)
            self.assertTrue(vmm.wait_vector(QUEUE_VECTOR))
            self.assertEqual(vmm.raised()[0], 0)

    def test_disk(self):
        vmm = self.boot("device=blk")
        for page in (False, True):
            disk = Disk(vmm, page=page, room=512)
            self.assertEqual(disk.up(), 15)
            self.assert_stores(disk)

    def test_posted_stores(self):
        vmm = self.boot("device=blk", posted=True)
        disk = Disk(vmm, room=512)
        self.assertEqual(disk.up(), 15)
        self.assert_stores(disk)
        # As in the page: what is there when the token is
        disk = Disk(vmm, page=True, room=512)
        disk.late = True
        self.assertEqual(disk.up(), 15)
        self.assert_stores(disk)

    def test_backend(self):
        backend = self.backend(features=VERSION_1 | fake.I2C_F_ZERO_LENGTH_REQUEST)
        vmm = self.boot(f"device=i2c,socket={backend.path}")
        driver = Driver(vmm)
        self.wait_device(driver, I2C)
        self.assertEqual(driver.up(VERSION_1 | 1), 15)
        self.assertIn(fake.SET_MEM_TABLE, backend.requests)

    def test_what_it_is(self):
        vmm = self.boot("device=blk", ",device-id=0x10f7,vectors=40", vectors=40)
        self.assertEqual(vmm.config(0, 4), bytes.fromhex("f41af710"))
        self.assertEqual(vmm.config(9, 3), b"\0\x80\1")
        self.assertEqual(vmm.region(0), (3, 4096))
        self.assertEqual((vmm.irqs(vfio.MSI), vmm.irqs(vfio.MSIX)), (0, 40))
        self.assertLessEqual(vmm.capabilities["max_msg_fds"], 16)
        self.assertNotIn("write_multiple", vmm.capabilities)
        vmm.set_config(0x10, b"\xff" * 4)
        self.assertEqual(vmm.config(0x10, 4), bytes.fromhex("00f0ffff"))

    def test_msi(self):
        vmm = self.boot("device=rng", ",msi=on")
        self.assertEqual((vmm.irqs(vfio.MSI), vmm.irqs(vfio.MSIX)), (2, 0))
        # A guest that gets one only
        vmm.set_irqs(1, vfio.MSI)
        driver = Driver(vmm)
        self.assertEqual(driver.up(), 15)
        vmm.raised()
        self.assert_random(driver)
        self.assertTrue(vmm.wait_vector(0))

    def test_several_functions(self):
        self.serve(vmms={"a": ["device=rng"], "b": ["device=blk"]})
        one, other = self.vmm("a"), self.vmm("b")
        self.assertEqual((Driver(one).info()[0], Driver(other).info()[0]), (RNG, BLK))


class Memory(VfioUserTest):
    def test_comes_and_goes(self):
        """What firmware does before there is a driver, and a driver does not notice."""
        vmm = self.boot("device=blk")
        # ROM, with and without a descriptor, and RAM around it
        vmm.unmap(MEMORY, SIZE)
        vmm.map(0xC0000, 0x20000, OFFSET, flags=vfio.READABLE)
        vmm.map(0xFFFC0000, 0x40000, 0, shared=False, flags=vfio.READABLE)
        vmm.unmap(0xC0000, 0x20000)
        vmm.map_all()
        disk = Disk(vmm, page=True, room=512)
        self.assertEqual(disk.up(), 15)
        data = self.assert_stores(disk)
        for _ in range(3):
            vmm.unmap(MEMORY, SIZE)
            vmm.map(MEMORY, SIZE // 2, OFFSET)
            vmm.map(MEMORY + SIZE // 2, SIZE // 2, OFFSET + SIZE // 2)
            self.assertEqual(disk.load(3), data)
            vmm.unmap(MEMORY + SIZE // 2, SIZE // 2)
            vmm.unmap(MEMORY, SIZE // 2)
            vmm.map_all()
            self.assertEqual(disk.load(3), data)

    def test_gone_under_a_driver(self):
        vmm = self.boot("device=blk")
        disk = Disk(vmm, room=512)
        self.assertEqual(disk.up(), 15)
        vmm.unmap(MEMORY, SIZE)
        disk.kick()
        self.assertTrue(disk.status() & NEEDS_RESET)
        vmm.map_all()
        self.assertEqual(disk.up(), 15)
        self.assert_stores(disk)

    def test_rom_is_not_written(self):
        vmm = self.boot("device=rng")
        driver = Driver(vmm)
        vmm.unmap(MEMORY, SIZE)
        vmm.map(MEMORY, SIZE - 0x10000, OFFSET)
        vmm.map(MEMORY + SIZE - 0x10000, 0x10000, OFFSET + SIZE - 0x10000, flags=vfio.READABLE)
        self.assertEqual(driver.up(), 15)
        ring = driver.rings[0]
        ring.add([(MEMORY + SIZE - 64, 64, True)])
        driver.kick()
        self.assertTrue(driver.status() & NEEDS_RESET)
        self.assertEqual(vmm.get(MEMORY + SIZE - 64, 64), bytes(64))

    def test_not_shared(self):
        vmm = self.boot("device=rng", shared=False)
        self.wait_log(self.server, "memory-backend-memfd,id=m,share=on")
        self.assertEqual(vmm.read(0), MAGIC)

    def test_file_cut_off(self):
        vmm = self.boot("device=blk")
        disk = Disk(vmm, page=True, room=512)
        self.assertEqual(disk.up(), 15)
        os.ftruncate(vmm.file, OFFSET)
        with self.soon("an access"):
            vmm.begin(2, 4, 0x50, 0)
            vmm.finish()
        self.assertEqual(vmm.read(0), MAGIC)


class Life(VfioUserTest):
    kills = True

    def test_second_vmm(self):
        vmm = self.boot("device=rng")
        with self.assertRaises(Refused) as caught:
            self.vmm()
        self.assertEqual(caught.exception.error, errno.EBUSY)
        self.assertEqual(vmm.read(0), MAGIC)
        vmm.disconnect()
        self.assertEqual(self.vmm().read(0), MAGIC)

    def test_reset(self):
        vmm = self.boot("device=blk")
        for reset in (vmm.reset, lambda: vmm.set_config(0x51, b"\x80")):
            disk = Disk(vmm, page=True, room=512)
            self.assertEqual(disk.up(), 15)
            self.assert_stores(disk)
            reset()
            self.assertEqual(Driver(vmm).status(), 0)

    def test_next_vmm_finds_a_new_function(self):
        vmm = self.boot("device=rng")
        driver = Driver(vmm)
        self.assertEqual(driver.up(), 15)
        vmm.disconnect()
        driver = Driver(self.vmm())
        self.assertEqual(driver.status(), 0)
        self.assertEqual(driver.up(), 15)
        self.assert_random(driver)

    def test_end_is_in_order(self):
        """With something unread QEMU aborts when the connection is reset."""
        vmm = self.boot("device=rng")
        pid = self.server.processes()["vm"]
        os.kill(pid, signal.SIGSTOP)
        for _ in range(20):
            vmm.send(vfio.REGION_READ, vfio.ACCESS.pack(0, 0, 4))
        os.kill(self.server.pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)
        self.assertTrue(vmm.is_gone())

    def test_killed(self):
        vmm = self.boot("device=rng")
        os.kill(self.server.processes()["vm"], signal.SIGKILL)
        self.assertRaises(Gone, vmm.read, 0)
        self.wait_log(self.server, "it is started again")
        driver = Driver(self.vmm())
        self.assertEqual(driver.up(), 15)


class Slow(VfioUserTest):
    """A VMM waits for 5 s at most, and drops what is answered later."""

    def test_backend_hangs(self):
        backend = self.backend(faults={fake.SET_MEM_TABLE: fake.HANG})
        vmm = self.boot(f"device=i2c,socket={backend.path},answer=7")
        driver = Driver(vmm)
        self.wait_device(driver, I2C)
        driver.negotiate(VERSION_1 | 1)
        driver.queue()
        with self.soon("a store", 4.9):
            driver.write(0x100, 0xC << 48 | 0x0800, 8)
            driver.write(0x108, 15)
        with self.soon("a register"):
            self.assertEqual(driver.read(0), MAGIC)
        self.wait_log(self.server, "takes longer than 4 s")


class Odd(VfioUserTest):
    def assert_next_is_served(self):
        """Whatever the last one did."""
        with self.soon("the next VMM"):
            self.assertEqual(self.vmm().read(0), MAGIC)

    def test_commands_that_are_not_known(self):
        vmm = self.boot("device=rng")
        for command in (0, 6, 11, 12, 14, 15, 16, 17, 18, 99, 0xFFFF):
            with self.assertRaises(Refused) as caught:
                vmm.ask(command, bytes(8))
            self.assertEqual(caught.exception.error, errno.EOPNOTSUPP, command)
        self.assertEqual(vmm.read(0), MAGIC)

    def test_lengths(self):
        vmm = self.boot("device=rng")
        for command in range(1, 14):
            for size in (1, 3, 4, 20, 4000):
                with self.assertRaises(Refused):
                    vmm.ask(command, b"\xff" * size)
        self.assertEqual(vmm.read(0), MAGIC)

    def test_headers(self):
        vmm = self.boot("device=rng")
        for header in ((4, 15, 0), (4, 1 << 20, 0), (4, 0xFFFFFFFF, 0), (4, 16, vfio.REPLY),
                       (4, 16, 0x100)):
            command, size, flags = header
            vmm.socket.sendall(struct.pack("=HHIII", 1, command, size, flags, 0))
            self.assertTrue(vmm.is_gone(), header)
            vmm.disconnect()
            vmm.connect()
        self.assertIn("is disconnected", self.server.log())

    def test_other_version(self):
        vmm = self.boot("device=rng")
        vmm.disconnect()
        stranger = FakeVmm(vmm.path)
        self.addCleanup(stranger.close)
        stranger.say_version = lambda: FakeVmm.say_version(stranger, 1)
        self.assertRaises(Refused, stranger.connect)
        self.assert_next_is_served()

    def test_replies_nobody_takes(self):
        vmm = self.boot("device=rng")
        vmm.socket.settimeout(5)
        try:
            for _ in range(100000):
                vmm.send(vfio.REGION_READ, vfio.ACCESS.pack(0, vfio.CONFIG, 4096))
        except (Gone, TimeoutError):
            pass
        self.wait_log(self.server, "does not take its replies")
        vmm.disconnect()
        self.assert_next_is_served()
