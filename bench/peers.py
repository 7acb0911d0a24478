# SPDX-License-Identifier: GPL-2.0-only
"""The same backend behind each transport, and behind User Mode Linux's own vhost-user driver.

virtio_uml is no virtio-msg device and no MMIO: the guest's kernel speaks vhost-user
itself, so there is no device side between it and the backend, and nothing traps.
"""

import shutil
from contextlib import ExitStack

from bench import blocktrace
from bench.machine import LOAD_SECONDS
from bench.transports import DIRECT, TRANSPORTS
from bench.uml import LOAD_PROGRAM
from scripts import say
from testbed import load
from testbed.bed import Bed, run_directory

NAMES = [*(transport.name for transport in TRANSPORTS), DIRECT]
# virtio_uml's; rings of another size would be another comparison
QUEUE_SIZE = 256
MEMORY = "256M"


def platform_device(name):
    """The guest's name for the device that the peer called NAME is below."""
    if name == DIRECT:
        return "virtio-uml.0"
    driver = next(each.driver for each in TRANSPORTS if each.name == name)
    same = [each.name for each in TRANSPORTS if each.driver == driver]
    return f"{driver}.{same.index(name)}"


class Peer:
    """What the guest has of the backend at index AT."""

    def __init__(self, at, bed):
        self.at, self.name, self.bed = at, NAMES[at], bed

    @property
    def guest(self):
        """The Guest."""
        return self.bed.guest

    def file(self, pattern):
        """The path below the virtio device that PATTERN matches, when it is there."""
        device = f"/sys/bus/platform/devices/{platform_device(self.name)}/virtio*"
        return self.guest.wait_for(f"ls -d {device}/{pattern}").strip()

    def load(self, words):
        """The numbers that load prints."""
        output = self.guest.check(f"{LOAD_PROGRAM} {words}", LOAD_SECONDS)
        return [int(line) for line in output.split()]

    def trace(self, words):
        """The trace of a disk's requests that load makes."""
        return self.guest.check(blocktrace.script(f"{LOAD_PROGRAM} {words}"), LOAD_SECONDS)


class Peers:
    """A guest with DEVICE on each transport, each by a backend of its own."""

    def __init__(self, device, base="mainline"):
        self.device, self.program = device, load.build()
        self.directory = run_directory(f"bench-backends/{device.name}")
        self.daemons = {name: device.make(run_directory(f"bench-backends/{device.name}/{at}"), at)
                        for at, name in enumerate(NAMES)}
        windows = [f"{self.daemons[each.name].window},queue-size={QUEUE_SIZE},{each.options}"
                   for each in TRANSPORTS]
        direct = f"virtio_uml.device={self.daemons[DIRECT].socket}:{device.virtio_id}"
        self.bed = Bed(f"bench-backends/{device.name}/guest", windows, base, [direct],
                       device.programs, MEMORY)
        self.peers = [Peer(at, self.bed) for at in range(len(NAMES))]
        self.stack = ExitStack()

    def __enter__(self):
        with ExitStack() as stack:
            # None has real-time priority: guest and backend are to share the machine
            for daemon in self.daemons.values():
                stack.enter_context(daemon)
            self.device.start(stack, self.directory, self.daemons.values())
            stack.enter_context(self.bed)
            shutil.copy(self.program, self.bed.guest.directory / "load")
            for peer in self.peers:
                self.device.prepare(peer)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def round(self, first):
        """{name: figures} of one round, in which the one at index FIRST begins."""
        first %= len(self.peers)
        found = {}
        for peer in self.peers[first:] + self.peers[:first]:
            self.device.turn(peer)
            found[peer.name] = self.device.times(peer)
        return found


def run(device, base, number):
    """NUMBER rounds; a list of {name: figures}."""
    progress = say.Progress("measuring", number)
    rounds = []
    with Peers(device, base) as peers:
        for at in range(number):
            rounds.append(peers.round(at))
            progress.at(at + 1, "rounds")
        problems = peers.bed.guest.splats()
        if problems:
            raise say.Error("the guest's kernel complained:\n" + "\n".join(problems),
                            f"console: {peers.bed.guest.console_file}")
        peers.bed.guest.halt()
    return rounds
