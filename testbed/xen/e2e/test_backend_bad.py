# SPDX-License-Identifier: GPL-2.0-only
"""vhost-user backends that die or hang, and guests that make them."""

from testbed.xen.driver import BUS_DRIVER, NOT_GRANTED, Ring
from testbed.xen.e2e.backend_case import BackendTest
from testbed.xen.e2e.test_chain import NVRAM, RTC
from testbed.xen.service import I2cBackend, Service

STATUS = "/sys/bus/virtio/devices/virtio0/status"
READ = f"i2cget -y 0 {RTC} {NVRAM}"


class BadBackend(BackendTest):
    """The guest is told, others go on, and the device can be used again."""

    def test_buffers_that_are_not_granted(self):
        with I2cBackend(self.dom0, "other") as backend, \
             Service(self.dom0, (f"guest=other,{backend.rule}",
                                 self.backend.rule)) as service:
            guest, other = self.guest(), self.guest("other")
            self.write_nvram(guest, 10)
            # As a request to an I2C adapter is: out, in
            Ring(guest).hand_out((NOT_GRANTED, 8, False), (NOT_GRANTED + 0x1000, 1, True))
            guest.wait(f"test $(($(cat {STATUS}) & 0x40)) -ne 0", 30, "DEVICE_NEEDS_RESET")
            self.assertIn("i2c: the backend closed the connection", service.log())
            self.write_nvram(other, 11)
            self.bind_again(guest)
            self.write_nvram(guest, 12)
            self.write_nvram(other, 13)

    def bind_again(self, guest):
        """Unbind and bind the driver of the guest's window; returns when the device is there."""
        guest.run(f"echo 2000000.virtio >{BUS_DRIVER}/unbind; "
                  f"echo 2000000.virtio >{BUS_DRIVER}/bind")
        guest.wait("test -e /sys/bus/i2c/devices/i2c-0", 30, "the device's return")

    def test_killed_while_the_guest_is_at_work(self):
        self.serve()
        guest = self.guest()
        guest.run(f"(while ! test -e /stop; do {READ} || echo failed; done) >/reads 2>&1 &")
        for _ in range(3):
            count = int(guest.run("wc -l </reads"))
            guest.wait(f"test $(wc -l </reads) -gt {count + 2}", 30, "progress")
            self.backend.signal("KILL")
        # An I2C adapter's requests are done in order: the next backend does the one left
        count = int(guest.run("wc -l </reads"))
        guest.wait(f"test $(wc -l </reads) -gt {count + 2}", 30, "the guest's going on")
        guest.run("touch /stop; wait")
        self.assertNotIn("failed", guest.run("cat /reads"))
        self.write_nvram(guest, 12)
        self.assertEqual(self.bus_byte(), 12)

    def test_absent_while_the_guest_is_at_work(self):
        service = self.serve(",reconnect=1")
        guest = self.guest()
        self.backend.__exit__()
        guest.wait(f"test $(($(cat {STATUS}) & 0x40)) -ne 0", 30,
                   "DEVICE_NEEDS_RESET")
        _, status = guest.run(READ, check=False)
        self.assertNotEqual(status, 0)
        self.assertIn("the backend", service.log())
        # Its driver bound again has the device that comes back
        self.backend.__enter__()
        self.bind_again(guest)
        self.write_nvram(guest, 13)

    def test_hangs_while_the_guest_resets_it(self):
        service = self.serve(",answer=1")
        guest = self.guest()
        self.write_nvram(guest, 14)
        hung = self.backend.pid
        self.backend.signal("STOP")
        # A reset is answered when the backend has let go, or lost its socket
        guest.run(f"echo 2000000.virtio >{BUS_DRIVER}/unbind", 15)
        self.assertIn("does not answer", service.log())
        self.dom0.run(f"kill -9 {hung}")
        guest.run(f"echo 2000000.virtio >{BUS_DRIVER}/bind")
        guest.wait("test -e /sys/bus/i2c/devices/i2c-0", 30, "the device's return")
        self.write_nvram(guest, 15)
        self.assertEqual(self.bus_byte(), 15)
