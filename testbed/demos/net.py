# SPDX-License-Identifier: GPL-2.0-only
"""A network: an address by DHCP, a web page of the host's loopback, a transfer rate."""

import functools
import http.server
import json
import socket
import subprocess
import threading

from scripts import debian
from testbed import backends

PROGRAMS = {"iperf3": ["/usr/bin/iperf3"]}

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


def serve_files(directory):
    """A web server on loopback for DIRECTORY; its port is server_address[1]."""
    handler = functools.partial(Handler, directory=directory)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def free_port():
    """A TCP port of loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve_iperf(directory, port, *options):
    """iperf3's server on loopback, with OPTIONS."""
    debian.install(["iperf3"])
    with open(directory / "iperf3.log", "wb") as log:
        return subprocess.Popen(["iperf3", "-s", "-B", "127.0.0.1", "-p", str(port), *options],
                                stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def get_address(guest):
    """The guest's network, by DHCP."""
    guest.check(DHCP_SCRIPT)
    guest.check(UP)


def backend(directory):
    """A network by passt."""
    return backends.net(directory)


def show(bed, made, line):
    """DHCP, wget, iperf3."""
    guest = bed.guest
    get_address(guest)
    line("eth0", guest.check("ip -o -4 addr show eth0").split("inet ")[1].split()[0])
    (made.directory / "page").write_text("a page on the host's loopback\n")
    server = serve_files(made.directory)
    try:
        url = f"http://{backends.HOST_IP}:{server.server_address[1]}/page"
        line(f"wget {url}", guest.check(f"wget -q -O - {url}").strip())
    finally:
        server.shutdown()
        server.server_close()
    port = free_port()
    iperf = serve_iperf(made.directory, port, "-1")
    try:
        said = guest.wait_for(f"iperf3 -c {backends.HOST_IP} -p {port} -n 16M --json", 60)
        rate = json.loads(said[said.index("{"):])["end"]["sum_received"]["bits_per_second"]
        line("iperf3 to the host", f"{rate / 1e6:.0f} Mbit/s")
    finally:
        iperf.kill()
        iperf.wait()
