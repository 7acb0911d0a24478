# SPDX-License-Identifier: GPL-2.0-only
"""Backends: started, ended, missing ones named; programs of another Debian."""

import os
import socket
import struct
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

from scripts import say
from testbed import backends, fake_backend, foreign

LISTEN = ("import socket, sys, time; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); "
          "s.listen(); time.sleep(60)")


class InDirectory(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.path = self.directory / "sock"


class Process(InDirectory):
    def make(self, *command):
        """A Backend that runs COMMAND."""
        return backends.Backend("fake", self.directory, command, self.path, "rng")

    def test_start_waits_for_the_socket(self):
        with self.make("python3", "-c", LISTEN, self.path) as backend:
            self.assertTrue(self.path.exists())
            self.assertTrue(backend.running())
            self.assertEqual(backend.window, f"device=rng,socket={self.path}")
        self.assertFalse(backend.running())

    def test_can_be_started_again(self):
        backend = self.make("python3", "-c", LISTEN, self.path)
        self.addCleanup(backend.kill)
        first = backend.start().process.pid
        backend.kill()
        self.assertNotEqual(backend.start().process.pid, first)

    def test_one_that_ends_is_an_error_with_its_words(self):
        backend = self.make("sh", "-c", "echo no such disk; exit 1")
        with self.assertRaisesRegex(say.Error, "(?s)fake does not start.*no such disk"):
            backend.start()


class Missing(InDirectory):
    def setUp(self):
        super().setUp()
        page = self.directory / "page.md"
        page.write_text("- `before`\n\n## May be missing\n\nText.\n\n- `listed`: why\n")
        patch = mock.patch.object(backends, "DOCUMENTED", page)
        patch.start()
        self.addCleanup(patch.stop)

    def cannot(self):
        """A backend that cannot be had."""
        raise say.Error("not on this machine")

    def test_listed_one_is_skipped_with_the_reason(self):
        with self.assertRaisesRegex(unittest.SkipTest, "listed.*not on this machine"):
            backends.needed("listed", self.cannot)

    def test_others_fail(self):
        for name in ("other", "before"):
            with self.assertRaises(say.Error):
                backends.needed(name, self.cannot)


class Page(unittest.TestCase):
    def test_lists_all_that_there_are(self):
        page = (Path(backends.__file__).parent / "BACKENDS.md").read_text()
        for name in ("qemu-storage-daemon", "vhost-user-blk", "virtiofsd", "passt",
                     "vhost-device-vsock", *backends.CRATES):
            self.assertIn(f"| {name}", page)


class Dependencies(unittest.TestCase):
    TEXT = ("passt\n  Depends: libc6\n  PreDepends: init-tools\n  Depends: <virtual>\n"
            "    real\n |Depends: either\n  Recommends: more\n")

    def test_what_is_needed(self):
        self.assertEqual(foreign.parse_depends(self.TEXT), ["libc6", "init-tools"])

    def test_all_levels_without_the_unwanted(self):
        depends = {"one": "  Depends: two\n  Depends: bad\n", "two": "  Depends: one\n"}

        def ask(_suite, _arch, _command, *names):
            return "".join(depends[name] for name in names)

        with mock.patch("scripts.debian.ask", ask):
            self.assertEqual(foreign.Foreign("one", "x", without=["bad"]).packages(),
                             ["one", "two"])


class Fake(InDirectory):
    def call(self, line, request, payload=b"", flags=1):
        """One request; returns the reply's payload."""
        line.sendall(struct.pack("=III", request, flags, len(payload)) + payload)
        header = line.recv(12)
        if not header:
            return None
        _, _, size = struct.unpack("=III", header)
        return line.recv(size)

    def connect(self, **options):
        """A stream to a FakeBackend with OPTIONS."""
        backend = fake_backend.FakeBackend(self.path, **options).start()
        self.addCleanup(backend.stop)
        line = socket.socket(socket.AF_UNIX)
        self.addCleanup(line.close)
        line.settimeout(0.3)
        line.connect(str(self.path))
        return backend, line

    def test_answers(self):
        backend, line = self.connect(queues=3)
        features = struct.unpack("=Q", self.call(line, fake_backend.GET_FEATURES))[0]
        self.assertEqual(features, backend.features)
        self.assertEqual(self.call(line, fake_backend.GET_QUEUE_NUM), struct.pack("=Q", 3))
        self.assertEqual(self.call(line, fake_backend.SET_FEATURES, bytes(8), 9), bytes(8))
        self.assertEqual(backend.requests, [fake_backend.GET_FEATURES,
                                            fake_backend.GET_QUEUE_NUM,
                                            fake_backend.SET_FEATURES])

    def test_faults(self):
        _, line = self.connect(faults={fake_backend.SET_FEATURES: fake_backend.REFUSE,
                                       fake_backend.GET_QUEUE_NUM: fake_backend.HANG,
                                       fake_backend.GET_FEATURES: fake_backend.CLOSE})
        self.assertEqual(self.call(line, fake_backend.SET_FEATURES, bytes(8), 9),
                         struct.pack("=Q", 1))
        with self.assertRaises(TimeoutError):
            self.call(line, fake_backend.GET_QUEUE_NUM)
        self.assertIsNone(self.call(line, fake_backend.GET_FEATURES))

    def test_slow(self):
        _, line = self.connect(faults={fake_backend.GET_FEATURES: 0.05})
        start = time.monotonic()
        self.call(line, fake_backend.GET_FEATURES)
        self.assertGreaterEqual(time.monotonic() - start, 0.05)

    def test_config(self):
        _, line = self.connect(config_space=bytes(range(8)))
        header = struct.pack("=III", 2, 4, 0)
        self.assertEqual(self.call(line, fake_backend.GET_CONFIG, header + bytes(4)),
                         header + bytes(range(2, 6)))
        self.assertEqual(self.call(line, fake_backend.GET_CONFIG,
                                   struct.pack("=III", 2, 7, 0) + bytes(7)), b"")

    def test_stop_is_seen(self):
        backend, line = self.connect()
        self.call(line, fake_backend.GET_FEATURES)
        backend.stop()
        self.assertEqual(line.recv(1), b"")
        self.assertFalse(os.path.exists(self.path))
