# SPDX-License-Identifier: GPL-2.0-only
"""The same backend behind each transport, and behind User Mode Linux's own vhost-user driver.

virtio_uml is no virtio-msg device and no MMIO: the guest's kernel speaks vhost-user
itself, so there is no device side between it and the backend, and nothing traps.
"""

import shutil
from contextlib import ExitStack

from bench import blocktrace, measure
from bench.machine import LOAD_SECONDS, build_load
from bench.transports import DIRECT, TRANSPORTS
from bench.uml import LOAD_PROGRAM, realtime
from scripts import say
from testbed import backends
from testbed.bed import Bed, run_directory

BACKEND = "qemu-storage-daemon"
NAMES = [*(transport.name for transport in TRANSPORTS), DIRECT]
VIRTIO_ID_BLOCK = 2
DISK_SIZE = 16 << 20


def platform_device(name):
    """The guest's name for the device that the disk of NAME is below."""
    if name == DIRECT:
        return "virtio-uml.0"
    driver = next(each.driver for each in TRANSPORTS if each.name == name)
    same = [each.name for each in TRANSPORTS if each.driver == driver]
    return f"{driver}.{same.index(name)}"


class Peers:
    """A guest with a disk on each transport, each by a backend of its own."""

    def __init__(self, base="mainline"):
        self.program = build_load()
        self.daemons = {name: backends.blk(run_directory(f"bench-backends/{at}"), DISK_SIZE)
                        for at, name in enumerate(NAMES)}
        windows = [f"{self.daemons[each.name].window},{each.options}" for each in TRANSPORTS]
        self.bed = Bed("bench-backends/guest", windows, base,
                       [f"virtio_uml.device={self.daemons[DIRECT].socket}:{VIRTIO_ID_BLOCK}"])
        self.stack = ExitStack()

    def __enter__(self):
        with realtime(), ExitStack() as stack:
            for daemon in self.daemons.values():
                stack.enter_context(daemon)
            stack.enter_context(self.bed)
            shutil.copy(self.program, self.bed.guest.directory / "load")
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def node(self, name):
        """The path in /dev of the disk of NAME."""
        pattern = f"/sys/bus/platform/devices/{platform_device(name)}/virtio*/block/vd*"
        path = self.bed.guest.wait_for(f"ls -d {pattern}")
        return "/dev/" + path.strip().rpartition("/")[2]

    def load(self, words):
        """The numbers that load prints."""
        output = self.bed.guest.check(f"{LOAD_PROGRAM} {words}", LOAD_SECONDS)
        return [int(line) for line in output.split()]

    def trace(self, words):
        """The trace of the requests that load makes."""
        return self.bed.guest.check(blocktrace.script(f"{LOAD_PROGRAM} {words}"), LOAD_SECONDS)

    def round(self, first):
        """{name: figures} of one round, in which the one at index FIRST begins."""
        order = NAMES[first % len(NAMES):] + NAMES[:first % len(NAMES)]
        return {name: measure.disk_times(self.load, self.trace, self.node(name))
                for name in order}


def run(base, number):
    """NUMBER rounds; a list of {name: figures}."""
    progress = say.Progress("measuring", number)
    rounds = []
    with Peers(base) as peers:
        for at in range(number):
            rounds.append(peers.round(at))
            progress.at(at + 1, "rounds")
        problems = peers.bed.guest.splats()
        if problems:
            raise say.Error("the guest's kernel complained:\n" + "\n".join(problems),
                            f"console: {peers.bed.guest.console_file}")
        peers.bed.guest.halt()
    return rounds
