# SPDX-License-Identifier: GPL-2.0-only
"""A disk."""

from bench import measure, report
from bench.devices.device import Device
from testbed import backends

SIZE = 16 << 20


class Disk(Device):
    """Reads of a sector, as in the part without a backend."""

    name, title, backend, virtio_id = "blk", "A disk", "qemu-storage-daemon", 2
    figures = {figure: title for figure, title in report.TIMES.items()
               if figure.startswith(("round trip", "blk"))}

    def make(self, directory, at):
        return backends.blk(directory, SIZE)

    def node(self, peer):
        """The path in /dev."""
        return "/dev/" + peer.file("block/vd*").rpartition("/")[2]

    def times(self, peer):
        return measure.disk_times(peer.load, peer.trace, self.node(peer))

    def summary(self, rounds, name):
        return report.disk_summary(rounds, name)
