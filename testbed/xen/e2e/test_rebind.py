# SPDX-License-Identifier: GPL-2.0-only
"""Drivers unbound and bound again, and devices asleep, with a granted message page."""

from testbed.xen.driver import BUS_DRIVER
from testbed.xen.e2e.test_chain import ChainTest

DEVICE_DRIVER = "/sys/bus/virtio/drivers/i2c_virtio"
TIMES = 3
# What the kernel says of grants that it cannot take back, of grant-dma-ops' data that is
# not what it should be, and of itself
TROUBLE = "Grant still in use|already created|another backend|Oops|BUG:|WARNING:|Call trace"


class Rebind(ChainTest):
    """With a built-in device, whose driver's memory is all granted."""

    def setUp(self):
        super().setUp()
        self.service.start()
        self.addCleanup(self.service.stop)
        # Tests of sleep need not wait five seconds
        self.domu = self.guest(extra="console=hvc0 rdinit=/init suspend.pm_test_delay=1")

    def assert_well(self, value):
        """The device works, by the message page, and the guest's kernel has no complaint."""
        self.domu.wait("test -e /sys/bus/i2c/devices/i2c-*", 30, "the bus")
        bus = self.domu.run("ls /sys/bus/i2c/devices | sed 's/i2c-//'").strip()
        self.domu.run(f"i2cset -y {bus} 0x68 0x10 {value:#x}")
        self.assertEqual(int(self.domu.run(f"i2cget -y {bus} 0x68 0x10"), 16), value)
        self.assertGreater(self.service.counters()["traps"]["write"]["Doorbell"], 0)
        self.assertEqual(self.domu.run(f"dmesg | grep -E '{TROUBLE}' || true"), "")

    def test_device_driver(self):
        for value in range(1, 1 + TIMES):
            name = self.domu.run("ls /sys/bus/virtio/devices").strip()
            self.domu.run(f"echo {name} >{DEVICE_DRIVER}/unbind")
            self.domu.run(f"echo {name} >{DEVICE_DRIVER}/bind")
            self.assert_well(value)

    def test_bus_driver(self):
        for value in range(1, 1 + TIMES):
            self.domu.run(f"echo 2000000.virtio >{BUS_DRIVER}/unbind")
            self.assertEqual(self.domu.run("ls /sys/bus/virtio/devices").strip(), "")
            self.domu.run(f"echo 2000000.virtio >{BUS_DRIVER}/bind")
            self.assert_well(value)

    def test_both(self):
        for value in range(1, 1 + TIMES):
            name = self.domu.run("ls /sys/bus/virtio/devices").strip()
            self.domu.run(f"echo {name} >{DEVICE_DRIVER}/unbind")
            self.domu.run(f"echo 2000000.virtio >{BUS_DRIVER}/unbind")
            self.domu.run(f"echo 2000000.virtio >{BUS_DRIVER}/bind")
            self.assert_well(value)

    def test_sleep(self):
        self.domu.run("echo devices >/sys/power/pm_test")
        for value in range(1, 1 + TIMES):
            self.domu.run("echo freeze >/sys/power/state", 60)
            self.assert_well(value)
