# SPDX-License-Identifier: GPL-2.0-only
"""A network, whose gateway is the host's loopback."""

import json

from bench import measure, server
from bench.devices.device import Device, latency, rates
from testbed import backends
from testbed.demos.net import free_port, serve_iperf

# What iperf3 sends
SIZE = "32M"
SECONDS = 60


def mbit_per_s(text):
    """What iperf3 says that was received."""
    return json.loads(text)["end"]["sum_received"]["bits_per_second"] / 1e6


class Network(Device):
    """One byte to a server and back over TCP; iperf3."""

    name, title, backend, virtio_id = "net", "A network", "passt", 1
    programs = {"iperf3": ["/usr/bin/iperf3"]}
    figures = {"ping median us": "one byte over TCP and back, median",
               "ping p99 us": "one byte over TCP and back, 99th percentile",
               "to host Mbit per s": "iperf3 to the host, Mbit per second",
               "from host Mbit per s": "iperf3 from the host, Mbit per second"}

    def __init__(self):
        self.port = self.iperf_port = None

    @staticmethod
    def addresses(at):
        """The guest's and the host's, in a network for each peer."""
        return f"10.0.{at + 2}.15", f"10.0.{at + 2}.2"

    def make(self, directory, at):
        return backends.net(directory, *self.addresses(at))

    def start(self, stack, directory, daemons):
        self.port = stack.enter_context(server.serving(server.at_port())).server_address[1]
        self.iperf_port = free_port()
        iperf = serve_iperf(directory, self.iperf_port)
        stack.callback(iperf.wait)
        stack.callback(iperf.kill)

    def prepare(self, peer):
        interface = peer.file("net/*").rpartition("/")[2]
        guest, _ = self.addresses(peer.at)
        peer.guest.check(f"ip link set {interface} up && "
                         f"ip addr add {guest}/24 dev {interface}")

    def iperf(self, peer, *options):
        """iperf3's figure."""
        _, host = self.addresses(peer.at)
        return mbit_per_s(peer.guest.check(f"iperf3 -c {host} -p {self.iperf_port} -n {SIZE} "
                                           f"--json {' '.join(options)}", SECONDS))

    def times(self, peer):
        _, host = self.addresses(peer.at)
        ping = peer.load(f"ping tcp {host} {self.port} {measure.OPERATIONS}")
        return {**measure.each(ping, "ping"),
                "to host Mbit per s": self.iperf(peer),
                "from host Mbit per s": self.iperf(peer, "--reverse")}

    def summary(self, rounds, name):
        return {**latency(rounds, name, "ping"),
                "mbit_per_s": rates(rounds, name, to_host="to host Mbit per s",
                                    from_host="from host Mbit per s")}
