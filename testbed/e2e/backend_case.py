# SPDX-License-Identifier: GPL-2.0-only
"""What the tests with vhost-user backends have in common."""

from testbed import backends, bed
from testbed.e2e.case import GuestTest

# Debian packages of this machine: programs that the guest gets
PROGRAMS = {
    "e2fsprogs": ["/sbin/mkfs.ext4", "/sbin/resize2fs"],
    "fio": ["/usr/bin/fio"],
    "iperf3": ["/usr/bin/iperf3"],
    "socat": ["/usr/bin/socat"],
}
NEEDS_RESET = 0x40
READ_RNG = "dd if=/dev/hwrng of=/dev/null bs=16 count=1"


class BackendTest(GuestTest):
    """Boots guests whose devices are other processes."""

    def setUp(self):
        self.directory = bed.run_directory(f"backends/{self.id().rpartition('.e2e.')[2]}")

    def backend(self, name, make, *args):
        """The backend that make(directory, *args) gives, started; ended after the test."""
        made = backends.needed(name, make, self.directory, *args)
        self.addCleanup(made.kill)
        return made.start()

    def boot_backends(self, *windows, params=(), cpus=1):
        """A guest with these backends, or windows by their options; returns the Bed."""
        options = [getattr(window, "window", window) for window in windows]
        return self.boot(options, params, programs=PROGRAMS, memory="256M", cpus=cpus)

    def device_status(self, guest, number=0):
        """The virtio status of device NUMBER, as the guest has it."""
        return int(guest.check(f"cat /sys/bus/virtio/devices/virtio{number}/status"), 16)

    def wait_needs_reset(self, guest, number=0, seconds=10):
        """DEVICE_NEEDS_RESET reaches the guest."""
        guest.wait_for(f"test $(($(cat /sys/bus/virtio/devices/virtio{number}/status) & "
                       f"{NEEDS_RESET})) -ne 0", seconds)

    def rebind(self, guest, driver, number=0):
        """Take the driver from the device and give it back, as a user would. Without its
        backend the device leaves meanwhile, and is found when that is back."""
        path = f"/sys/bus/virtio/drivers/{driver}"
        guest.check(f"echo virtio{number} > {path}/unbind", 60)
        guest.wait_for(f"test -e {path}/virtio{number} || "
                       f"{{ echo virtio{number} > {path}/bind; false; }} 2>/dev/null", 20)
