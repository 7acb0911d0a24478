# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of a Xen machine with a vhost-user backend have in common."""

from testbed.xen.e2e.test_chain import ChainTest
from testbed.xen.service import I2cBackend, Service


class BackendTest(ChainTest):
    """vhost-device-i2c, unmodified, on Dom0's I2C bus, and guests with a device by it."""

    def setUp(self):
        super().setUp()
        self.backend = I2cBackend(self.dom0)
        self.backend.__enter__()
        self.addCleanup(self.backend.__exit__)

    def serve(self, options=""):
        """virtio-msgd for that backend."""
        service = Service(self.dom0, rules=(self.backend.rule + options,))
        service.start()
        self.addCleanup(service.stop)
        return service

    def guest(self, name="domu", **changes):
        """A running guest, whose device has come."""
        guest = super().guest(name, **changes)
        guest.wait("test -e /sys/bus/i2c/devices/i2c-0", 30, "the arrival of the device")
        return guest

    def bus_byte(self):
        """The NVRAM byte, read in Dom0."""
        return self.backend.byte()
