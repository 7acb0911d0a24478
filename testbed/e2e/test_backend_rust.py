# SPDX-License-Identifier: GPL-2.0-only
"""rust-vmm's backends that need no hardware, as crates.io has them."""

import hashlib
import os
import socket
import time

from testbed import backends
from testbed.demos.net import free_port
from testbed.e2e.backend_case import BackendTest

SECONDS = 20


class Rng(BackendTest):
    def test_bytes_are_those_of_the_source(self):
        source = self.directory / "source"
        source.write_bytes(os.urandom(1 << 20))
        bed = self.boot_backends(self.backend("vhost-device-rng", backends.rng, source))
        self.assertEqual(bed.guest.check("cat /sys/class/misc/hw_random/rng_current").strip(),
                         "virtio_rng.0")
        bed.guest.check("dd if=/dev/hwrng of=/host/random bs=32 count=64", 60)
        random = (bed.guest.directory / "random").read_bytes()
        self.assertEqual(len(random), 2048)
        # The guest kernel takes some for itself in between
        content = source.read_bytes()
        missing = [at for at in range(0, len(random), 32) if random[at:at + 32] not in content]
        self.assertEqual(missing, [])
        self.assertGreaterEqual(bed.msgd.counters()["kicks"], 2048 // 64)

    def test_restarted(self):
        rng = self.backend("vhost-device-rng", backends.rng, "/dev/urandom")
        guest = self.boot_backends(rng).guest
        guest.check("dd if=/dev/hwrng of=/dev/null bs=64 count=8")
        rng.kill()
        # At once with a request in flight, otherwise after the 10 s that it is waited for
        self.wait_needs_reset(guest, seconds=20)
        rng.start()
        self.rebind(guest, "virtio_rng")
        guest.check("dd if=/dev/hwrng of=/dev/null bs=64 count=8")
        self.assertEqual(self.device_status(guest), 0xf)


class Scsi(BackendTest):
    def test_image_is_read(self):
        image = self.directory / "disk.img"
        image.write_bytes(os.urandom(4 << 20))
        guest = self.boot_backends(self.backend("vhost-device-scsi", backends.scsi, image)).guest
        guest.wait_for("test -e /dev/sda")
        self.assertEqual(guest.check("cat /sys/block/sda/size").strip(), str((4 << 20) >> 9))
        self.assertEqual(guest.check("sha256sum < /dev/sda").split()[0],
                         hashlib.sha256(image.read_bytes()).hexdigest())


class Console(BackendTest):
    def connect(self, port):
        """A stream to the console, which listens when a driver is there."""
        end = time.monotonic() + SECONDS
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), SECONDS)
            except ConnectionRefusedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def test_bytes_both_ways(self):
        port = free_port()
        console = self.backend("vhost-device-console", backends.console, port)
        guest = self.boot_backends(console).guest
        guest.wait_for("test -e /dev/hvc0")
        with self.connect(port) as line:
            guest.check("stty -F /dev/hvc0 raw -echo && echo from-guest > /dev/hvc0")
            received = b""
            while b"from-guest" not in received:
                more = line.recv(100)
                self.assertTrue(more, f"only {received} came")
                received += more
            guest.begin("head -n 1 /dev/hvc0")
            time.sleep(0.5)
            line.sendall(b"from-host\n")
            self.assertIn("from-host", guest.finish().output)
