# SPDX-License-Identifier: GPL-2.0-only
"""The comparison in a guest under Xen, by a virtio-msgd in Dom0."""

import shlex
from contextlib import ExitStack

from bench.machine import Machine, window, windows
from bench.transports import DEVICES, TRANSPORTS
from testbed.commanded import splats
from testbed.xen.guest import Guest, virtio
from testbed.xen.service import Service

DEVICE_IDS = {"rng": 4, "i2c": 0x22, "blk": 2}
# Where xl puts a guest's windows
BASE = 0x2000000
WINDOW_SIZE = 0x200
# Its kernel's messages would go to the console between what commands print
PARAMETERS = "console=hvc0 rdinit=/init loglevel=4 rng_core.default_quality=0"
LOG = "/var/log/virtio-msgd-bench.log"


class Xen(Machine):
    """A guest of the machine DOM0 with every device on every transport."""

    load_program = "/bin/load"

    def __init__(self, dom0):
        self.service = Service(dom0, [f"index={number},{options}"
                                      for number, options in enumerate(windows())], LOG)
        self.guest = Guest(dom0, extra=PARAMETERS,
                           virtio=[virtio(DEVICE_IDS[device])
                                   for _ in TRANSPORTS for device in DEVICES])
        self.stack = ExitStack()

    def __enter__(self):
        with ExitStack() as stack:
            stack.enter_context(self.service)
            stack.callback(self.guest.destroy)
            self.guest.start()
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def check(self, script, timeout=30):
        return self.guest.run(f"sh -c {shlex.quote(script)}", timeout)

    def splats(self):
        return splats(self.check("dmesg"))

    def reset_counters(self):
        self.service.control("counters-reset")

    def counters(self, number):
        return self.service.counters(self.guest.name, number)

    def platform_device(self, transport, device):
        """As its node in the device tree is called."""
        return f"{BASE + window(transport, device) * WINDOW_SIZE:x}.virtio"
