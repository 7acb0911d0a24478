# SPDX-License-Identifier: GPL-2.0-only
import socket
import tempfile
import unittest
from pathlib import Path

from bench import server

SECONDS = 10


class Server(unittest.TestCase):
    def open(self):
        """A stream to a server of its own."""
        started = server.serving(server.at_port())
        address = started.__enter__().server_address
        self.addCleanup(started.__exit__, None, None, None)
        stream = socket.create_connection(address, SECONDS)
        self.addCleanup(stream.close)
        return stream

    def received(self, stream, size):
        """SIZE bytes, or fewer if the server closes the stream."""
        return stream.makefile("rb").read(size)

    def test_echo_goes_on_until_the_stream_is_closed(self):
        stream = self.open()
        stream.sendall(b"echo 1\n")
        for byte in (b"a", b"b", b"c"):
            stream.sendall(byte)
            self.assertEqual(stream.recv(10), byte)
        stream.shutdown(socket.SHUT_WR)
        self.assertEqual(stream.recv(10), b"")

    def test_take_answers_when_all_is_there_and_not_before(self):
        stream = self.open()
        stream.sendall(b"take 100000\n" + bytes(99999))
        stream.settimeout(0.1)
        with self.assertRaises(TimeoutError):
            stream.recv(1)
        stream.settimeout(SECONDS)
        stream.sendall(b"x")
        self.assertEqual(self.received(stream, 10), server.NONE)

    def test_give_sends_that_many(self):
        for size in (1, server.BLOCK, server.BLOCK + 1, 3 * server.BLOCK):
            stream = self.open()
            stream.sendall(f"give {size}\n".encode())
            self.assertEqual(len(self.received(stream, size + 1)), size)

    def test_at_a_path_and_several_at_once(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "socket"
            with server.serving(server.at_path(path)):
                streams = [socket.socket(socket.AF_UNIX) for _ in range(2)]
                for stream in streams:
                    self.addCleanup(stream.close)
                    stream.settimeout(SECONDS)
                    stream.connect(str(path))
                    stream.sendall(b"echo 4\n")
                for stream in reversed(streams):
                    stream.sendall(b"word")
                    self.assertEqual(self.received(stream, 4), b"word")
