# SPDX-License-Identifier: GPL-2.0-only
"""What is particular to a device; bench/peers.py does what is the same for all."""

from bench import stats


class Device:
    """A device by a backend, for one peer after the other to work with.

    NAME is the one that virtio-msgd and the options have, TITLE the one in the output,
    BACKEND the program, VIRTIO_ID what virtio_uml is told; PROGRAMS, by Debian package,
    are what the guest needs besides the usual. FIGURES are those of a round, and how the
    table calls them.
    """

    name = title = backend = ""
    virtio_id = 0
    programs = {}
    figures = {}

    def make(self, directory, at):
        """The Backend of the peer at index AT, not started."""
        raise NotImplementedError

    def start(self, stack, directory, daemons):
        """Start what the guest talks to on the host; STACK ends it."""

    def prepare(self, peer):
        """Once, when the guest is up."""

    def turn(self, peer):
        """Before PEER is measured."""

    def times(self, peer):
        """{figure: value} of one round."""
        raise NotImplementedError

    def summary(self, rounds, name):
        """What bench-backends.json says of the peer called NAME."""
        raise NotImplementedError


def latency(rounds, name, prefix):
    """The part of a summary that all devices have."""
    return {"latency_us": {what: round(stats.middle(rounds, name, f"{prefix} {what} us"), 3)
                           for what in ("median", "p99")}}


def rates(rounds, name, **figures):
    """{key: rate}, with FIGURES by key."""
    return {key: round(stats.middle(rounds, name, figure), 1) for key, figure in figures.items()}
