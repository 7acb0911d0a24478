# SPDX-License-Identifier: GPL-2.0-only
"""What these tests have in common: a virtio-msgd that has to be sound when it ends."""

import contextlib
import functools
import os
import re
import time
import unittest

from testbed import bed, msgd
from testbed.fake_backend import FakeBackend
from testbed.fake_driver import Disk
from testbed.fake_guest import FakeGuest

# What never took an answer at all, or many seconds, takes less than this
SOON = 2
MANY_SECONDS = 20
MAGIC = 0x67736D76
REPORT = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:|SUMMARY: \w+Sanitizer")
DIED = re.compile(r"its process (was ended by|has ended)")


@functools.cache
def program():
    """The sanitized virtio-msgd."""
    return msgd.build(sanitize=True)


def number_of(path, name):
    """The number that /proc/.../status has for NAME."""
    return int(re.search(rf"^{name}:\s+(\d+)", path.read_text(), re.MULTILINE)[1])


class MsgdTest(unittest.TestCase):
    """Starts virtio-msgd and guests; a report of a sanitizer, a process that died or a wrong
    exit status fails the test."""

    # Processes of guests are killed on purpose
    kills = False

    def setUp(self):
        name = self.id().removeprefix("testbed.msgd_tests.")
        self.directory = bed.run_directory(f"msgd/{name}")

    def serve(self, windows=(), guests=None, options=(), program_=None, **more):
        """A virtio-msgd with WINDOWS for the first guest, and more GUESTS."""
        # In files of their own: stderr may be one that nobody reads
        environment = {"ASAN_OPTIONS": f"exitcode=99:log_path={self.directory}/sanitizer",
                       "UBSAN_OPTIONS": "print_stacktrace=1"}
        server = msgd.Msgd(program_ or program(), self.directory, windows, options, guests,
                           env=environment, **more)
        self.addCleanup(self.end, server)
        server.start()
        return server

    def end(self, server):
        """In order; nothing bad may have been said by then."""
        try:
            status = server.stop()
        finally:
            server.kill()
        log = server.log()
        said = log + "".join(path.read_text(errors="replace")
                             for path in self.directory.glob("sanitizer.*"))
        self.assertIsNone(REPORT.search(said), said)
        if not self.kills:
            self.assertIsNone(DIED.search(log), log)
        self.assertEqual(status, 0, log)

    def guest(self, name="msgd.sock", windows=1, size=8 << 20):
        """A guest that is connected to the socket called NAME."""
        guest = FakeGuest(self.directory / name, size, windows)
        self.addCleanup(guest.close)
        return guest.connect()

    def backend(self, name="backend", **options):
        """A FakeBackend that listens; returns it and its window's socket= option."""
        backend = FakeBackend(self.directory / name, **options)
        self.addCleanup(backend.stop)
        return backend.start()

    def wait(self, condition, what, seconds=MANY_SECONDS):
        """Until CONDITION() is true; the test fails if WHAT does not come."""
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, f"{what} does not come")
            time.sleep(0.01)

    def wait_log(self, server, text):
        """virtio-msgd says TEXT."""
        self.wait(lambda: text in server.log(), f"\"{text}\" in {server.log_file}")

    def wait_device(self, driver, number):
        """The window has the device with this virtio device ID."""
        self.wait(lambda: driver.info()[0] == number, f"device {number}")

    @contextlib.contextmanager
    def soon(self, what, seconds=SOON):
        """WHAT is done inside takes less than SECONDS."""
        start = time.monotonic()
        try:
            yield
        except TimeoutError:
            self.fail(f"{what}: no answer in {time.monotonic() - start:.1f} s")
        self.assertLess(time.monotonic() - start, seconds, what)

    def assert_answers(self, guest, what="another guest's access", window=0):
        """A register of WINDOW is read soon."""
        with self.soon(what):
            self.assertEqual(guest.read(0x200 * window), MAGIC)

    def assert_disk_works(self, guest, window=0):
        """The window's disk has what is written to it."""
        disk = Disk(guest, window, room=512)
        self.assertEqual(disk.up(), 15)
        data = os.urandom(512)
        self.assertEqual(disk.store(3, data), Disk.OK)
        self.assertEqual(disk.load(3), data)
