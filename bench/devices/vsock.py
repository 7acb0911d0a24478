# SPDX-License-Identifier: GPL-2.0-only
"""Streams between guest and host. Linux has one such device at a time: they take turns."""

from bench import measure, server
from bench.devices.device import Device, latency, rates
from testbed import backends

HOST_CID = 2
PORT = 5000
SIZE = 1 << 20
DRIVER = "/sys/bus/virtio/drivers/vmw_vsock_virtio_transport"
BIND = f"""cd {DRIVER}
test ! -e {{0}} || exit 0
for other in virtio*; do
	test ! -e $other || echo $other > unbind
done
echo {{0}} > bind"""


class Streams(Device):
    """One byte to a server and back; a stream each way."""

    name, title, backend, virtio_id = "vsock", "Streams", "vhost-device-vsock", 19
    figures = {"ping median us": "one byte and back, median",
               "ping p99 us": "one byte and back, 99th percentile",
               "to host MB per s": "a stream to the host, MB per second",
               "from host MB per s": "a stream from the host, MB per second"}

    def make(self, directory, at):
        return backends.vsock(directory)

    def start(self, stack, directory, daemons):
        for daemon in daemons:
            path = daemon.listening_path(PORT)
            stack.enter_context(server.serving(server.at_path(path)))

    def turn(self, peer):
        path = peer.file("").rstrip("/")
        peer.guest.check(BIND.format(path.rpartition("/")[2]))
        peer.file("driver")

    def stream(self, peer, way):
        """MB per second."""
        return measure.rate(peer.load(f"{way} vsock {HOST_CID} {PORT} {SIZE}"), SIZE / 1e6)

    def times(self, peer):
        ping = peer.load(f"ping vsock {HOST_CID} {PORT} {measure.OPERATIONS}")
        return {**measure.each(ping, "ping"),
                "to host MB per s": self.stream(peer, "send"),
                "from host MB per s": self.stream(peer, "receive")}

    def summary(self, rounds, name):
        return {**latency(rounds, name, "ping"),
                "mb_per_s": rates(rounds, name, to_host="to host MB per s",
                                  from_host="from host MB per s")}
