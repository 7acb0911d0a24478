# SPDX-License-Identifier: GPL-2.0-only
"""A network by passt: DHCP, a file from a server on loopback, iperf3."""

import json
import os

from testbed import backends
from testbed.demos import net
from testbed.e2e.backend_case import BackendTest


class Network(BackendTest):
    def setUp(self):
        super().setUp()
        self.passt = self.backend("passt", backends.net)

    def boot_network(self):
        """A guest with an address; returns it."""
        guest = self.boot_backends(self.passt).guest
        net.get_address(guest)
        return guest

    def serve_files(self):
        """A web server on loopback for this test's directory; returns its port."""
        server = net.serve_files(self.directory)
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
        port = net.free_port()
        server = net.serve_iperf(self.directory, port, "-1")
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        guest = self.boot_network()
        said = guest.wait_for(f"iperf3 -c {backends.HOST_IP} -p {port} -n 16M --json", 60)
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
