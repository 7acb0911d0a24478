# SPDX-License-Identifier: GPL-2.0-only
"""A directory of the host. virtiofsd lets the guest cache nothing."""

from bench import measure
from bench.devices.device import Device, latency, rates
from testbed import backends

SIZE = 32 << 20
SMALL_FILES = 100


class Directory(Device):
    """A file's status asked for, small files made, a large one read and written."""

    name, title, backend, virtio_id = "fs", "A directory", "virtiofsd", 26
    figures = {"status median us": "asking for a file's status, median",
               "status p99 us": "asking for a file's status, 99th percentile",
               "small per s": "small files made and unlinked per second",
               "read MB per s": "reading a file, MB per second",
               "write MB per s": "writing a file, MB per second"}

    def make(self, directory, at):
        shared = directory / "shared"
        shared.mkdir()
        with open(shared / "file", "wb") as file:
            file.write(bytes(SIZE))
        # With --tag it serves config space, which virtio_uml has from nowhere else
        return backends.fs(directory, shared, self.tag(at),
                           ["--cache=never", f"--tag={self.tag(at)}"])

    @staticmethod
    def tag(at):
        """What the guest mounts."""
        return f"{backends.FS_TAG}{at}"

    @staticmethod
    def mount_point(peer):
        """Where the guest has it."""
        return f"/mnt/{peer.at}"

    def prepare(self, peer):
        at = self.mount_point(peer)
        peer.guest.check(f"mkdir -p {at} && mount -t virtiofs {self.tag(peer.at)} {at}")

    def times(self, peer):
        at = self.mount_point(peer)
        return {**measure.each(peer.load(f"status {at}/file {measure.OPERATIONS}"), "status"),
                "small per s": measure.rate(peer.load(f"small {at} {SMALL_FILES}"), SMALL_FILES),
                "read MB per s": measure.rate(peer.load(f"read {at}/file {SIZE}"), SIZE / 1e6),
                "write MB per s": measure.rate(peer.load(f"write {at}/file {SIZE}"), SIZE / 1e6)}

    def summary(self, rounds, name):
        return {**latency(rounds, name, "status"),
                **rates(rounds, name, small_files_per_s="small per s"),
                "mb_per_s": rates(rounds, name, read="read MB per s", write="write MB per s")}
