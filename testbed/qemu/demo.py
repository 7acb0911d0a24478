# SPDX-License-Identifier: GPL-2.0-only
"""make demo VMM=qemu: the same with QEMU and a kernel as Debian has them, and our modules.

    make demo VMM=qemu              a PCI function of QEMU that virtio-msgd serves
    make demo VMM=qemu DEVICE=blk   another device, by a vhost-user backend: blk, fs, net, vsock

No kernel is built. With /dev/kvm the guest has the CPU's help.
"""

import time

from scripts import say
from testbed import demo
from testbed.commanded import Failed
from testbed.qemu import bed
from testbed.qemu.machine import KVM, kvm

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
    """A guest with one function, which has been found. With /dev/kvm it has the CPU's help,
    if it starts with that: there are machines whose KVM cannot run every guest."""

    KIND = f"QEMU, {CPUS} CPUs"

    def __init__(self, name, functions, drivers, programs=None):
        super().__init__(name, functions, drivers, programs, cpus=CPUS,
                         accel="kvm:tcg" if kvm() else "tcg")

    def __enter__(self):
        try:
            super().__enter__()
        except Failed:
            if self.guest.accel == "tcg":
                raise
            kept = self.guest.log_file.rename(self.directory / "qemu-kvm.log")
            say.note(f"it does not start with {KVM} ({kept}): "
                     "once more, without")
            self.guest.accel = "tcg"
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
