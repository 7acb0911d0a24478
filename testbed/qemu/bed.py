# SPDX-License-Identifier: GPL-2.0-only
"""A guest of QEMU and its device side together: what demo, tests and bench boot."""

import json

from scripts import say
from testbed import msgd
from testbed.bed import run_directory
from testbed.qemu import initramfs, kernel
from testbed.qemu.machine import Machine, function

DRIVER = "/sys/bus/pci/drivers/virtio-msg-pci"


class Bed:
    """virtio-msgd with FUNCTIONS, {name of the socket with its options: [--window options]},
    and a guest that has those that are PLUGGED (all), in which DRIVERS are loaded, and the bus
    is not.

    MORE: options of QEMU. FLAVOUR: of the kernel, "rt-" for one. PROGRAMS: what the guest has besides the usual, as testbed.image
    has it. MONITOR: the socket of QEMU's monitor.
    """

    def __init__(self, name, functions, drivers, programs=None, more=(), plugged=None, flavour="",
                 **machine):
        self.directory = run_directory(name)
        self.monitor = self.directory / "qmp.sock"
        self.windows = [window for each in functions.values() for window in each]
        self.plugged = plugged or [each.partition(",")[0] for each in functions]
        self.msgd = msgd.Msgd(msgd.build(), self.directory, [], place=None, vmms=functions)
        image, initrd = kernel.build(self.directory, drivers, programs, flavour)
        options = ["-qmp", f"unix:{self.monitor},server=on,wait=off", *more]
        for each in self.plugged:
            options += ["-device", function(self.directory / each)]
        self.guest = Machine(image, initrd, self.directory, options, **machine)

    def __enter__(self):
        self.msgd.start()
        try:
            self.guest.start()
        except BaseException:
            self.msgd.kill()
            raise
        return self

    def __exit__(self, *_):
        self.guest.kill()
        self.msgd.kill()

    def load(self, parameters=""):
        """Load the bus; returns when it has all functions."""
        self.guest.check(f"insmod /modules/{initramfs.BUS}.ko {parameters}")
        self.guest.wait_for(f"test $(ls -d {DRIVER}/0000:* | wc -l) -eq {len(self.plugged)}")

    def functions(self):
        """{name: where on the PCI bus the guest has it}: as they were given, so they are."""
        found = self.guest.check(f"cd {DRIVER} && ls -d 0000:*").split()
        return dict(zip(self.plugged, sorted(found), strict=True))

    def counters(self, name):
        """What was counted of the function NAME."""
        for carrier in json.loads(self.msgd.control("counters"))["carriers"]:
            if f"/{name}" in carrier["name"]:
                return carrier["windows"][0]
        raise say.Error(f"virtio-msgd has no carrier {name}")
