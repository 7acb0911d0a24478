# SPDX-License-Identifier: GPL-2.0-only
"""Device sides that are absent, wrong or die: one clear line each, and the kernel goes on."""

import struct
import time

from testbed import bed, fake_window, mmio_sock
from testbed.e2e.case import GuestTest
from testbed.fake_window import Fake

DRIVER = "/sys/bus/platform/drivers/virtio-msg-mmio"
BOUND = f"test -e {DRIVER}/virtio-msg-mmio.0"
READ_RNG = "dd if=/dev/hwrng of=/dev/null bs=16 count=1"


class NotAWindow(GuestTest):
    """The bus refuses to bind, and says why once."""

    def refused(self, device, *parts):
        guest, server = self.boot_with(device)
        self.assertNotEqual(guest.run(BOUND).status, 0)
        self.assert_logged_once(guest, "virtio-msg-mmio.0", *parts)
        self.assert_logged_once(guest, "virtio-msg-mmio.0")
        return guest, server

    def test_nothing_there_reads_zeros(self):
        self.refused(mmio_sock.Device(), "magic is 0x00000000")

    def test_all_ones(self):
        class Ones(mmio_sock.Device):
            def read(self, offset, size):
                return 2**64 - 1

        self.refused(Ones(), "magic is 0xffffffff")

    def test_magic_of_virtio_mmio(self):
        device = Fake()
        device.magic = 0x74726976
        _, server = self.refused(device, "magic is 0x74726976")
        self.assertEqual([access[0] for access in server.accesses], [mmio_sock.READ])

    def test_unknown_layout_version(self):
        device = Fake()
        device.version = 2
        self.refused(device, "layout version 2")

    def test_message_size_below_the_minimum(self):
        device = Fake()
        device.msg_size = 51
        self.refused(device, "size 51")

    def test_unknown_revision(self):
        device = Fake()
        device.revision = 2
        self.refused(device, "revision 2")

    def test_revision_0(self):
        device = Fake()
        device.revision = 0
        self.refused(device, "revision 0")


class NoServer(GuestTest):
    """mmio_sock's own errors."""

    def test_server_refuses(self):
        guest, _ = self.boot_with(Fake(), error=13)
        self.assert_logged_once(guest, "mmio_sock:", "no server", "error -13")
        self.assert_logged_once(guest, "virtio-msg-mmio.0", "magic is 0xffffffff")

    def test_no_socket(self):
        guest, _ = self.boot_with(Fake(), params=[
            f"mmio_sock.region=4K@{bed.BASE + (1 << 20):#x}:48:/nonexistent",
            f"virtio_msg_mmio.device=0x200@{bed.BASE + (1 << 20):#x}:48"])
        self.assert_logged_once(guest, "mmio_sock: /nonexistent", "no server", "error -2")
        self.assert_logged_once(guest, "virtio-msg-mmio.1", "magic is 0xffffffff")
        guest.check(READ_RNG)

    def test_server_never_welcomes(self):
        guest, _ = self.boot_with(Fake(), params=["mmio_sock.timeout=300"], silent=True)
        self.assert_logged_once(guest, "mmio_sock:", "no server", "error -110")

    def test_no_time_to_answer(self):
        guest, server = self.boot_with(Fake(), params=["mmio_sock.timeout=0"])
        self.assert_logged_once(guest, "mmio_sock:", "no server", "error -22")
        self.assertEqual(server.connections, 0)

    def test_bad_regions_are_refused(self):
        for text, why in (("4K@0x1000:60:/s", "overlaps memory"),
                          ("32M@0x3000000000:60:/s", "size is not"),
                          ("0@0x3000000000:60:/s", "size is not"),
                          ("4K@0x3000000000:3:/s", "not free"),
                          ("4K@0x3000000000:60-70:/s", "not free"),
                          ("4K@0x3000000000:32:/s", "not free"),
                          (f"4K@{bed.BASE:#x}:60:/s", "cannot be added"),
                          ("4K@0x3000000000:60", "invalid for parameter"),
                          ("4K@0x3000000000:60-59:/s", "invalid for parameter"),
                          ("4K0x3000000000:60:/s", "invalid for parameter")):
            with self.subTest(region=text):
                guest, _ = self.boot_with(Fake(), params=[f"mmio_sock.region={text}"])
                self.assertEqual(len([line for line in guest.kernel_log("mmio_sock")
                                      if why in line and "Kernel command line" not in line]), 1,
                                 guest.kernel_log("mmio_sock"))
                guest.check(READ_RNG)
                guest.kill()


class BadResponses(GuestTest):
    """A response that is not one: the device does not come up, or is broken."""

    def spoiled(self, message, change):
        """A Fake whose response to MESSAGE goes through CHANGE."""
        class Spoiled(Fake):
            def spoil(self, number, response):
                return change(response) if number == message else response

        return Spoiled()

    def does_not_come_up(self, message, change, name, log="bad response"):
        guest, _ = self.boot_with(self.spoiled(message, change))
        self.assert_logged_once(guest, f"{log} to {name}")
        self.assertNotEqual(guest.run("test -e /sys/bus/virtio/drivers/virtio_rng/virtio0").status, 0)
        return guest

    def test_truncated(self):
        self.does_not_come_up(fake_window.INFO, lambda response: response[:6] + struct.pack("<H", 8)
                              + response[8:], "GET_DEVICE_INFO")

    def test_longer_than_the_bus_carries(self):
        self.does_not_come_up(fake_window.INFO, lambda response: response[:6]
                              + struct.pack("<H", 65535) + response[8:], "GET_DEVICE_INFO")

    def test_foreign_id(self):
        self.does_not_come_up(fake_window.INFO, lambda response: response[:1] + b"\x03"
                              + response[2:], "GET_DEVICE_INFO")

    def test_foreign_device(self):
        self.does_not_come_up(fake_window.INFO, lambda response: response[:2] + b"\x01\x00"
                              + response[4:], "GET_DEVICE_INFO")

    def test_foreign_token(self):
        self.does_not_come_up(fake_window.INFO, lambda response: response[:4] + b"\xff\xff"
                              + response[6:], "GET_DEVICE_INFO")

    def test_not_a_response(self):
        self.does_not_come_up(fake_window.INFO, lambda response: b"\0" + response[1:],
                              "GET_DEVICE_INFO")

    def test_no_response(self):
        self.does_not_come_up(fake_window.INFO, lambda response: b"", "GET_DEVICE_INFO",
                              "no response")

    def test_wrong_feature_block(self):
        self.does_not_come_up(fake_window.GET_FEATURES, lambda response: response[:8] + b"\x07"
                              + response[9:], "GET_DEVICE_FEATURES")

    def test_wrong_queue(self):
        self.does_not_come_up(fake_window.GET_VQUEUE, lambda response: response[:8] + b"\x07"
                              + response[9:], "GET_VQUEUE")

    def test_empty_slot_is_no_error(self):
        device = Fake()
        device.device_id = 0
        guest, _ = self.boot_with(device)
        guest.check(BOUND)
        self.assertEqual(guest.check("ls /sys/bus/virtio/devices"), "")


class Death(GuestTest):
    """The device side dies."""

    def assert_dead(self, guest):
        guest.wait_for(f"! {BOUND}")
        self.assert_logged_once(guest, "mmio_sock:", "is gone")
        guest.check("true")

    def test_in_the_middle_of_an_access(self):
        class Dies(Fake):
            def kick(self, index):
                raise mmio_sock.Gone

        guest, _ = self.boot_with(Dies())
        self.assertNotEqual(guest.run(READ_RNG).status, 0)
        self.assert_dead(guest)

    def test_in_the_middle_of_a_probe(self):
        class Dies(Fake):
            def answer(self, number, payload):
                if number == fake_window.SET_VQUEUE:
                    raise mmio_sock.Gone
                return super().answer(number, payload)

        guest, _ = self.boot_with(Dies())
        self.assert_dead(guest)

    def test_while_a_reader_waits(self):
        class Mute(Fake):
            def kick(self, index):
                pass

        guest, server = self.boot_with(Mute())
        guest.begin(READ_RNG)
        time.sleep(0.5)
        server.stop()
        self.assertNotEqual(guest.finish().status, 0)
        self.assert_dead(guest)

    def test_hangs_in_an_access(self):
        class Hangs(Fake):
            def kick(self, index):
                time.sleep(3)

        guest, _ = self.boot_with(Hangs(), params=["mmio_sock.timeout=500"])
        start = time.monotonic()
        self.assertNotEqual(guest.run(READ_RNG).status, 0)
        self.assertLess(time.monotonic() - start, 10)
        self.assert_dead(guest)

    def test_virtio_msgd_killed(self):
        bed_ = self.boot(["device=i2c", "device=rng"])
        bed_.msgd.kill()
        self.assert_dead(bed_.guest)
        self.assertNotEqual(bed_.guest.run("test -e /dev/i2c-0").status, 0)
