# SPDX-License-Identifier: GPL-2.0-only
"""A guest with all devices of the comparison, and what is done in it."""

from bench import blocktrace
from bench.transports import DEVICES, TRANSPORTS
from scripts import say

LOAD_SECONDS = 120
I2C_ADDRESS = 0x68


def windows():
    """virtio-msgd's options, device by device for one transport after the other."""
    return [f"device={device},{transport.options}"
            for transport in TRANSPORTS for device in DEVICES]


def window(transport, device):
    """The number of a window."""
    return TRANSPORTS.index(transport) * len(DEVICES) + DEVICES.index(device)


class Machine:
    """A guest with every device on every transport.

    How it is run, and how it and its device side are asked, is the matter of those
    who inherit this.
    """

    load_program = None     # its path in the guest
    time_goal = None        # for a round trip in page mode, in virtio-mmio's time

    def check(self, script, timeout=30):
        """The output of a shell script that has to succeed in the guest."""
        raise NotImplementedError

    def splats(self):
        """What the guest's kernel said when it found itself in error."""
        raise NotImplementedError

    def reset_counters(self):
        """Count from 0."""
        raise NotImplementedError

    def counters(self, number):
        """What was counted for window NUMBER."""
        raise NotImplementedError

    def platform_device(self, transport, device):
        """The guest's name for a window."""
        raise NotImplementedError

    def file(self, transport, device, pattern):
        """The one path below a device's platform device that PATTERN matches."""
        name = self.platform_device(transport, device)
        found = self.check(f"ls -d /sys/bus/platform/devices/{name}/{pattern}").split()
        if len(found) != 1:
            raise say.Error(f"{name}/{pattern} in the guest is not one file: {found}")
        return found[0]

    def node(self, transport, device):
        """The path in /dev of an i2c or blk device."""
        pattern = {"i2c": "virtio*/i2c-*", "blk": "virtio*/block/vd*"}[device]
        return "/dev/" + self.file(transport, device, pattern).rpartition("/")[2]

    def features(self, transport, device):
        """The bits of the features that were negotiated."""
        text = self.check(f"cat {self.file(transport, device, 'virtio*/features')}")
        return {bit for bit, value in enumerate(text.strip()) if value == "1"}

    def count(self, transport, device, script, timeout=30):
        """Run a script in the guest; the counters of what it made of a window, its output."""
        self.reset_counters()
        output = self.check(script, timeout)
        return self.counters(window(transport, device)), output

    def bind(self, transport, device):
        """Unbind a window's driver, bind it again; the counters of the latter."""
        name = self.platform_device(transport, device)
        self.check(f"echo {name} > {transport.driver_directory}/unbind")
        counters, _ = self.count(transport, device,
                                 f"echo {name} > {transport.driver_directory}/bind")
        self.file(transport, device, "virtio*/driver")
        return counters

    def load(self, transport, device, words):
        """Run load with WORDS; the counters, and the numbers that it printed."""
        counters, output = self.count(transport, device, f"{self.load_program} {words}",
                                      LOAD_SECONDS)
        return counters, [int(line) for line in output.split()]

    def trace(self, words):
        """Run load with WORDS; the trace of the disk's requests."""
        return self.check(blocktrace.script(f"{self.load_program} {words}"), LOAD_SECONDS)
