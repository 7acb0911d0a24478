# SPDX-License-Identifier: GPL-2.0-only
"""What the end-to-end tests have in common."""

import unittest

from testbed import bed, image, mmio_sock
from testbed.guest import Guest


def on_two_cpus(first, second):
    """A script that runs a command on each of two CPUs, at once, and fails if one does."""
    return f"taskset 1 {first} & taskset 2 {second} && wait $!"


class GuestTest(unittest.TestCase):
    """Boots guests that are ended, and whose consoles are checked, after the test."""

    base = "mainline"
    runs = 0

    def boot(self, windows, params=(), **options):
        """A guest with virtio-msgd's WINDOWS; returns the Bed."""
        made = bed.Bed(self.run_name(), windows, self.base, params, **options)
        made.msgd.start()
        self.addCleanup(made.msgd.kill)
        self.run_guest(made.guest)
        return made

    def boot_with(self, device, params=(), windows=1, drivers=("virtio_msg_mmio",), **options):
        """A guest whose windows a Python Device serves; returns it and the Server."""
        directory = bed.run_directory(self.run_name())
        server = mmio_sock.Server(directory / "fake.sock", device, **options)
        server.thread.start()
        self.addCleanup(server.__exit__)
        guest = Guest(bed.guest_kernel(self.base), image.Image().build(), directory,
                      [bed.region(server.path, windows),
                       *(bed.window(number, driver) for number, driver in enumerate(drivers)),
                       "rng_core.default_quality=0", *params])
        self.run_guest(guest)
        return guest, server

    def run_guest(self, guest):
        """Start a guest, to be checked and ended after the test."""
        self.addCleanup(self.no_splats, guest)
        self.addCleanup(guest.kill)
        guest.start()

    def run_name(self):
        """Where a guest's files go, below out/: each of a test's guests has its own."""
        self.runs += 1
        name = f"e2e/{self.id().removeprefix('testbed.e2e.')}"
        return name if self.runs == 1 else f"{name}.{self.runs}"

    def no_splats(self, guest):
        """The kernel did not find itself in error."""
        self.assertEqual(guest.splats(), [], f"in {guest.console_file}")

    def assert_logged_once(self, guest, *parts):
        """The kernel's log has exactly one line with all of PARTS; returns it."""
        lines = [line for line in guest.kernel_log() if all(part in line for part in parts)]
        self.assertEqual(len(lines), 1, f"lines with {parts}: {lines}\n"
                         + "\n".join(guest.kernel_log("virtio")))
        return lines[0]
