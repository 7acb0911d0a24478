# SPDX-License-Identifier: GPL-2.0-only
"""A network by passt: DHCP, a file from a server on loopback, iperf3."""

import functools
import http.server
import json
import os
import socket
import subprocess
import threading

from scripts import debian
from testbed import backends
from testbed.e2e.backend_case import BackendTest

# udhcpc calls this with what the server said in its environment
DHCP_SCRIPT = """cat > /tmp/dhcp <<'END'
#!/bin/sh
case $1 in
bound|renew)
	ifconfig $interface $ip netmask $subnet
	ip route add default via $router dev $interface
	;;
esac
END
chmod +x /tmp/dhcp
"""
UP = "ip link set lo up; ip link set eth0 up; udhcpc -i eth0 -n -q -s /tmp/dhcp"


class Handler(http.server.SimpleHTTPRequestHandler):
    """A web server that does not talk."""

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


def free_port():
    """A TCP port of loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Network(BackendTest):
    def setUp(self):
        super().setUp()
        self.passt = self.backend("passt", backends.net)

    def boot_network(self):
        """A guest with an address; returns it."""
        guest = self.boot_backends(self.passt).guest
        guest.check(DHCP_SCRIPT)
        guest.check(UP)
        return guest

    def serve_files(self):
        """A web server on loopback for this test's directory; returns its port."""
        handler = functools.partial(Handler, directory=self.directory)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server.server_address[1]

    def test_dhcp_and_mac(self):
        guest = self.boot_network()
        shown = guest.check("ip addr show eth0; ip route")
        self.assertIn(f"link/ether {backends.GUEST_MAC}", shown)
        self.assertIn(f"inet {backends.GUEST_IP}/24", shown)
        self.assertIn(f"default via {backends.HOST_IP}", shown)

    def test_file_from_loopback(self):
        data = os.urandom(8 << 20)
        (self.directory / "file").write_bytes(data)
        port = self.serve_files()
        guest = self.boot_network()
        guest.check(f"wget -q -O /tmp/file http://{backends.HOST_IP}:{port}/file", 60)
        guest.check("cp /tmp/file /host/fetched")
        self.assertEqual((guest.directory / "fetched").read_bytes(), data)

    def test_iperf3(self):
        debian.install(["iperf3"])
        port = free_port()
        with open(self.directory / "iperf3.log", "wb") as log:
            server = subprocess.Popen(["iperf3", "-s", "-1", "-B", "127.0.0.1", "-p", str(port)],
                                      stdout=log, stderr=log)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        guest = self.boot_network()
        said = guest.check(f"iperf3 -c {backends.HOST_IP} -p {port} -n 16M --json", 60)
        end = json.loads(said[said.index("{"):])["end"]
        self.assertGreaterEqual(end["sum_sent"]["bytes"], 16 << 20)
        # The server's figure is of a moment before the end
        self.assertGreater(end["sum_received"]["bytes"], 0)
        server.wait(20)

    def test_restarted(self):
        guest = self.boot_network()
        (self.directory / "file").write_bytes(b"still here\n")
        port = self.serve_files()
        self.passt.kill()
        self.passt.start()
        fetched = guest.wait_for(f"wget -q -O - http://{backends.HOST_IP}:{port}/file", 30)
        self.assertEqual(fetched, "still here\n")
        self.assertEqual(self.device_status(guest), 0xf)
