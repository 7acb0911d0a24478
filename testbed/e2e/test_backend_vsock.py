# SPDX-License-Identifier: GPL-2.0-only
"""Streams between guest and host by vhost-device-vsock."""

import hashlib
import random

from testbed import backends
from testbed.e2e.backend_case import BackendTest

LENGTH = 1 << 20
SECONDS = 20


class Streams(BackendTest):
    def setUp(self):
        super().setUp()
        self.vsock = self.backend("vhost-device-vsock", backends.vsock)
        self.guest = self.boot_backends(self.vsock).guest

    def test_guest_to_host(self):
        with self.vsock.listen(5000) as server:
            self.guest.begin(f"dd if=/dev/urandom of=/tmp/data bs=1k count={LENGTH >> 10} && "
                             "socat -u OPEN:/tmp/data VSOCK-CONNECT:2:5000 && "
                             "sha256sum /tmp/data | cut -d' ' -f1 > /tmp/sum")
            stream, _ = server.accept()
            received = b""
            with stream:
                stream.settimeout(SECONDS)
                while data := stream.recv(65536):
                    received += data
            self.assertEqual(self.guest.finish().status, 0)
        self.assertEqual(len(received), LENGTH)
        self.assertEqual(self.guest.check("cat /tmp/sum").strip(),
                         hashlib.sha256(received).hexdigest())

    def test_host_to_guest_and_back(self):
        data = random.Random(1).randbytes(LENGTH)
        self.guest.check("socat VSOCK-LISTEN:1234 EXEC:cat >/dev/null 2>&1 &")
        received = b""
        with self.vsock.connect_when_ready(1234) as stream:
            stream.settimeout(SECONDS)
            for start in range(0, LENGTH, 16384):
                stream.sendall(data[start:start + 16384])
                while len(received) < start + 16384:
                    more = stream.recv(65536)
                    self.assertTrue(more, "the guest closed the stream")
                    received += more
        self.assertEqual(received, data)
