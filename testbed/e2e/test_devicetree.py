# SPDX-License-Identifier: GPL-2.0-only
"""Devices that the device tree describes, the clock on the I2C bus included."""

import subprocess

from scripts import debian
from testbed import bed, fake_window, image, mmio_sock, msgd
from testbed.e2e.case import GuestTest
from testbed.e2e.test_clock import ADD_CLOCK
from testbed.guest import Guest

TREE = """
/dts-v1/;
/ {
	#address-cells = <2>;
	#size-cells = <2>;
	bus: bus@1000000000 {
		compatible = "simple-bus";
		reg = <0x10 0 0 0x1000>;
		ranges;
		#address-cells = <2>;
		#size-cells = <2>;
		interrupt-controller;
		#interrupt-cells = <2>;
		interrupt-parent = <&bus>;
%s
	};
};
"""

WINDOW = """
		virtio@1000000%(number)x00 {
			compatible = "%(compatible)s";
			reg = <0x10 0x%(number)x00 0 0x200>;
			interrupts = <%(interrupt)d 1>;
			dma-coherent;
			%(children)s
		};
"""

CLOCK = """i2c {
				compatible = "virtio,device22";
				#address-cells = <1>;
				#size-cells = <0>;
				rtc@68 {
					compatible = "dallas,ds1338";
					reg = <0x68>;
				};
			};"""


class DeviceTree(GuestTest):
    def setUp(self):
        debian.install(["device-tree-compiler"])
        self.directory = bed.run_directory(self.run_name())

    def boot_tree(self, socket, *windows):
        """A guest with a device tree of WINDOWS: (compatible, children) each."""
        nodes = "".join(WINDOW % {"number": 2 * number, "interrupt": number,
                                  "compatible": compatible, "children": children}
                        for number, (compatible, children) in enumerate(windows))
        blob = self.directory / "guest.dtb"
        subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", blob], check=True, text=True,
                       input=TREE % nodes)
        guest = Guest(bed.guest_kernel(self.base), image.Image().build(), self.directory,
                      [bed.region(socket), f"dtb={blob}", "rng_core.default_quality=0"])
        self.run_guest(guest)
        return guest

    def start_msgd(self, *windows):
        """A virtio-msgd with WINDOWS."""
        daemon = msgd.Msgd(msgd.build(), self.directory, windows).start()
        self.addCleanup(daemon.kill)
        return daemon

    def driver(self, guest, number):
        """The driver that a window is bound to."""
        link = guest.run(f"readlink /sys/bus/platform/devices/1000000{2 * number:x}00.virtio/driver")
        return link.output.strip().rpartition("/")[2]

    def test_own_compatible_with_a_clock_on_the_bus(self):
        daemon = self.start_msgd("device=i2c", "device=rng,page=off")
        guest = self.boot_tree(daemon.socket, ("virtio,msg-mmio", CLOCK), ("virtio,msg-mmio", ""))
        guest.wait_for("test -e /dev/rtc0")
        self.assertIn("ds1338", guest.check("cat /sys/class/rtc/rtc0/device/name"))
        guest.check("hwclock -r --utc")
        guest.check("dd if=/dev/hwrng of=/dev/null bs=64 count=4")
        self.assertEqual([self.driver(guest, number) for number in (0, 1)],
                         ["virtio-msg-mmio", "virtio-msg-mmio"])

    def test_shared_compatible_is_told_apart_by_the_magic(self):
        daemon = self.start_msgd("device=rng", "device=rng,personality=mmio")
        guest = self.boot_tree(daemon.socket, ("virtio,mmio", ""), ("virtio,mmio", ""))
        self.assertEqual([self.driver(guest, number) for number in (0, 1)],
                         ["virtio-msg-mmio", "virtio-mmio"])
        self.assertEqual([line for line in guest.kernel_log() if "magic" in line.lower()], [])
        for number in (0, 1):
            guest.check(f"echo virtio_rng.{number} > /sys/class/misc/hw_random/rng_current; "
                        "dd if=/dev/hwrng of=/dev/null bs=64 count=4")

    def test_server_dies(self):
        with mmio_sock.Server(self.directory / "fake.sock", fake_window.Fake()) as server:
            guest = self.boot_tree(server.path, ("virtio,msg-mmio", ""))
            self.assertEqual(self.driver(guest, 0), "virtio-msg-mmio")
        guest.wait_for("! test -e /sys/bus/platform/devices/1000000000.virtio/driver")
        self.assert_logged_once(guest, "mmio_sock:", "is gone")


class DeviceTreeLts(DeviceTree):
    base = "lts"

    def test_own_compatible_with_a_clock_on_the_bus(self):
        """Without the clock: 6.12's i2c-virtio has its children use the bus before
        DRIVER_OK, and waits for the device without end."""
        daemon = self.start_msgd("device=i2c", "device=rng,page=off")
        guest = self.boot_tree(daemon.socket, ("virtio,msg-mmio", ""), ("virtio,msg-mmio", ""))
        guest.check(ADD_CLOCK)
        guest.wait_for("test -e /dev/rtc0")
        guest.check("dd if=/dev/hwrng of=/dev/null bs=64 count=4")
