# SPDX-License-Identifier: GPL-2.0-only
"""make demo VMM=qemu: the same with QEMU and a kernel as Debian has them, and our modules.

    make demo VMM=qemu              a PCI function of QEMU that virtio-msgd serves
    make demo VMM=qemu DEVICE=blk   another device, by a vhost-user backend: blk, fs, net, vsock

No kernel is built. With /dev/kvm the guest has the CPU's help.
"""

import time

from scripts import say
from testbed import demo
from testbed.bed import run_directory
from testbed.commanded import Failed
from testbed.qemu import bed
from testbed.qemu.machine import KVM, Machine, kvm

# The modules of Debian's kernel that each device takes in the guest
DRIVERS = {
    "i2c": ("i2c_virtio", "i2c_dev", "rtc_ds1307"),
    "blk": ("virtio_blk", "ext4"),
    "fs": ("virtiofs",),
    "net": ("virtio_net", "af_packet"),
    "vsock": ("vmw_vsock_virtio_transport",),
}
CPUS = 2


class Bed(bed.Bed):
    """A guest with one function, which has been found."""

    KIND = f"QEMU, {CPUS} CPUs"

    def __init__(self, name, functions, drivers, programs=None):
        super().__init__(name, functions, drivers, programs, cpus=CPUS)
        self.guest.accel = self.accelerator()

    def accelerator(self):
        """The CPU's help is used if a guest starts with that: there are machines whose KVM
        cannot run every guest. It is one without the function: there are backends that end
        when a guest does."""
        if not kvm():
            return "tcg"
        directory = run_directory("demo-qemu-kvm")
        try:
            with Machine(self.guest.kernel, self.guest.initrd, directory, [], CPUS, "kvm"):
                return "kvm"
        except Failed:
            say.note(f"no guest starts with {KVM} (log: {directory}/qemu.log): without it then")
            return "tcg"

    def __enter__(self):
        super().__enter__()
        try:
            self.load()
            self.guest.wait_for("test -e /sys/bus/virtio/devices/virtio0/driver")
        except BaseException:
            self.__exit__()
            raise
        return self


def main(args):
    """The command."""
    options = demo.parser(__doc__.splitlines()[0]).parse_args(args)
    started = time.monotonic()
    say.step("getting virtio-msgd, QEMU, Debian's kernel and the modules ready")
    demo.show(options.device,
              lambda window, programs: Bed("demo-qemu", {"function": [window]},
                                           DRIVERS[options.device], programs))
    print(f"\ndone in {time.monotonic() - started:.0f} s")
    return 0
