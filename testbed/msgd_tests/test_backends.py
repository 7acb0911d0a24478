# SPDX-License-Identifier: GPL-2.0-only
"""Backends: how long they may take, how much memory they take, what they leave out."""

import os
import time
from pathlib import Path

from testbed import fake_backend as fake
from testbed import fake_window as window
from testbed.fake_driver import NEEDS_RESET, VERSION_1, Driver
from testbed.msgd_tests.case import MsgdTest, number_of

NET, BLK, SCSI, I2C = 1, 2, 8, 34


class Time(MsgdTest):
    """The driver waits for a backend as long as answer= says, and nobody else does."""

    def boot(self, faults, options="", guests=None):
        """virtio-msgd with an I2C adapter by a backend; returns it and the driver."""
        backend = self.backend(faults=faults)
        server = self.serve([f"device=i2c,socket={backend.path}{options}", "device=rng"],
                            guests)
        driver = Driver(self.guest(windows=2))
        self.wait_device(driver, I2C)
        return server, driver

    def test_slow_memory_table(self):
        _, driver = self.boot({fake.SET_MEM_TABLE: 1.7})
        self.assertEqual(driver.up(), 15)

    def test_slow_end_of_a_queue(self):
        _, driver = self.boot({fake.GET_VRING_BASE: 1.5})
        self.assertEqual(driver.up(), 15)
        self.assertEqual(driver.set_status(0), 0)
        self.assertEqual(driver.up(), 15)

    def test_time_is_an_option(self):
        server, driver = self.boot({fake.SET_MEM_TABLE: fake.HANG}, ",answer=1")
        start = time.monotonic()
        self.assertTrue(driver.up() & NEEDS_RESET)
        self.assertGreaterEqual(time.monotonic() - start, 0.9)
        self.assertIn("does not answer SET_MEM_TABLE", server.log())

    def test_others_do_not_wait(self):
        _, driver = self.boot({fake.SET_MEM_TABLE: 4}, guests={"other": ["device=rng"]})
        other = self.guest("other")
        driver.negotiate()
        driver.queue()
        # The driver's guest stands still in this access, as the one CPU that it has
        driver.write(0x100, 0xC << 48 | 0x0800, 8)
        driver.guest.begin(2, 4, 0x108, 15)
        self.assert_answers(other)
        driver.guest.socket.settimeout(10)
        driver.guest.finish()
        self.assertEqual(driver.status(), 15)

    def test_late_doorbells(self):
        """However many are rung while the backend is waited for, only the last one counts."""
        backend = self.backend(faults={fake.SET_MEM_TABLE: 3})
        server = self.serve([f"device=i2c,socket={backend.path}"])
        driver = Driver(self.guest(), page=True, late=True)
        self.wait_device(driver, I2C)
        driver.negotiate()
        driver.queue()
        status = Path(f"/proc/{server.processes()['msgd.sock']}/status")
        request = window.HEADER.pack(0, window.SET_STATUS, 0, 1, window.HEADER.size + 4)
        driver.guest.put(driver.page, request + (15).to_bytes(4, "little"))
        driver.write(window.DOORBELL, 1)
        before = number_of(status, "VmSize")
        for _ in range(200):
            driver.write(window.DOORBELL, 1)
        # Less than a tenth of their stacks
        self.assertLess(number_of(status, "VmSize") - before, 20 << 10)
        self.wait(lambda: driver.status() == 15, "the device")


class Blocking(MsgdTest):
    def test_kick(self):
        """A backend that makes a kick block holds up nobody."""
        backend = fake.BlockingBackend(self.directory / "backend").start()
        self.addCleanup(backend.stop)
        self.serve([f"device=i2c,socket={backend.path}", "device=rng"])
        driver = Driver(self.guest(windows=2))
        self.wait_device(driver, I2C)
        self.assertEqual(driver.up(), 15)
        driver.kick()
        self.assert_answers(driver.guest, "another window's access", window=1)


class Memory(MsgdTest):
    """More regions than one need more than one region, which only Xen's guests have: see
    test_vhost_user.c."""

    def boot(self, slots):
        """A backend that takes regions one by one; returns virtio-msgd, backend and driver."""
        backend = self.backend(protocol=fake.MQ | fake.REPLY_ACK | fake.CONFIGURE_MEM_SLOTS,
                               mem_slots=slots)
        server = self.serve([f"device=i2c,socket={backend.path}"])
        driver = Driver(self.guest())
        self.wait_device(driver, I2C)
        return server, backend, driver

    def test_regions_one_by_one(self):
        _, backend, driver = self.boot(509)
        self.assertEqual(driver.up(), 15)
        self.assertEqual(backend.requests.count(fake.ADD_MEM_REG), 1)
        self.assertNotIn(fake.SET_MEM_TABLE, backend.requests)

    def test_refused_for_a_reason(self):
        server, _, driver = self.boot(0)
        self.assertTrue(driver.up() & NEEDS_RESET)
        self.assertRegex(server.log(), "(region|slot)")


class WithoutConfig(MsgdTest):
    """A backend without the protocol feature CONFIG."""

    def offered(self, options, features, number):
        """What the driver is offered when the backend offers FEATURES."""
        backend = self.backend(features=VERSION_1 | features, queues=3)
        self.serve([f"{options},socket={backend.path}"])
        driver = Driver(self.guest())
        self.wait_device(driver, number)
        return driver, driver.features()

    def test_mtu(self):
        _, features = self.offered("device=net", 1 << 3, NET)
        self.assertFalse(features & 1 << 3)

    def test_mac(self):
        _, features = self.offered("device=net", 1 << 5, NET)
        self.assertFalse(features & 1 << 5)

    def test_given_mtu_and_mac(self):
        driver, features = self.offered("device=net,mtu=1400,mac=52:54:00:12:34:56",
                                        1 << 3 | 1 << 5, NET)
        self.assertEqual(features & (1 << 3 | 1 << 5), 1 << 3 | 1 << 5)
        self.assertEqual(driver.config(0, 6), bytes.fromhex("525400123456"))
        self.assertEqual(driver.config(10, 2), (1400).to_bytes(2, "little"))

    def test_disk(self):
        unfilled = 1 << 1 | 1 << 2 | 1 << 6     # SIZE_MAX, SEG_MAX, BLK_SIZE
        driver, features = self.offered("device=blk,capacity=2048", unfilled, BLK)
        self.assertFalse(features & unfilled)
        self.assertEqual(driver.config(0, 8), (2048).to_bytes(8, "little"))

    def test_disk_without_a_size(self):
        backend = self.backend()
        server = self.serve([f"device=blk,socket={backend.path}"])
        self.wait_log(server, str(backend.path))
        self.assertRegex(server.log(), "(?i)config")
        self.assertEqual(Driver(self.guest()).info()[0], 0)

    def test_scsi(self):
        driver, _ = self.offered("device=scsi", 0, SCSI)
        self.assertGreaterEqual(driver.info()[3], 36)
        # The queue of requests, and the size of a CDB that drivers count on
        self.assertEqual(driver.config(0, 4), (1).to_bytes(4, "little"))
        self.assertEqual(driver.config(24, 4), (32).to_bytes(4, "little"))


class Log(MsgdTest):
    """What a guest says does not hide what its backends, or other guests, have to say."""

    FLOOD = 45

    def hang(self, name, window=0):
        """A driver of the guest called NAME whose backend does not answer its reset."""
        driver = Driver(self.guest(name, windows=2), window)
        self.wait_device(driver, I2C)
        self.assertEqual(driver.up(), 15)
        return driver

    def flood(self, guest):
        """Doorbells without a page, each of which is worth a line."""
        for _ in range(self.FLOOD):
            guest.write(0x40, 1)

    def test_backend_of_another_guest(self):
        backend = self.backend(faults={fake.GET_VRING_BASE: fake.HANG})
        server = self.serve(["device=rng"],
                            {"other": [f"device=i2c,socket={backend.path},answer=1", ""]})
        driver = self.hang("other")
        self.flood(self.guest())
        driver.set_status(0)
        self.wait_log(server, "does not answer GET_VRING_BASE")

    def test_backend_of_another_window(self):
        backend = self.backend(faults={fake.GET_VRING_BASE: fake.HANG})
        server = self.serve(["device=rng", f"device=i2c,socket={backend.path},answer=1"])
        driver = self.hang("msgd.sock", 1)
        self.flood(driver.guest)
        driver.set_status(0)
        self.wait_log(server, "does not answer GET_VRING_BASE")

    def full_pipe(self):
        """The end to read of a pipe that takes nothing more, and the other one."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, b".")
        except BlockingIOError:
            pass
        os.set_blocking(writing, True)
        self.addCleanup(os.close, reading)
        return reading, writing

    def test_nobody_reads_it(self):
        reading, writing = self.full_pipe()
        server = self.serve(["device=rng"], {"other": ["device=rng"]}, stderr=writing)
        os.close(writing)
        guest, other = self.guest(), self.guest("other")
        self.flood(guest)
        self.assert_answers(guest)
        self.assert_answers(other)
        with self.soon("a control command"):
            server.ask("list")
        # When somebody reads, lines come again
        os.set_blocking(reading, False)
        said = b""

        def line_comes():
            nonlocal said
            guest.connect()
            try:
                said += os.read(reading, 1 << 20)
            except BlockingIOError:
                pass
            return b"a guest connects" in said

        self.wait(line_comes, "a line in the log")
