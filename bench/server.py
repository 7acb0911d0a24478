# SPDX-License-Identifier: GPL-2.0-only
"""The host's end of the guest's streams (testbed/guest/stream.c).

A stream begins with a line that says what to do:

    echo N    send back what comes, N bytes at a time
    take N    take N bytes, then send one
    give N    send N bytes
"""

import socket
import socketserver
import threading
from contextlib import contextmanager

BLOCK = 64 << 10
NONE = b"."


def echo(stream, size):
    """Until the guest closes the stream."""
    while data := stream.recv(size):
        stream.sendall(data)


def take(stream, size):
    """Take SIZE bytes."""
    while size:
        data = stream.recv(min(size, BLOCK))
        if not data:
            return
        size -= len(data)
    stream.sendall(NONE)


def give(stream, size):
    """Send SIZE bytes."""
    block = NONE * BLOCK
    for start in range(0, size, BLOCK):
        stream.sendall(block[:size - start])


class Handler(socketserver.BaseRequestHandler):
    """One stream."""

    def handle(self):
        if self.request.family == socket.AF_INET:
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = b""
        while not line.endswith(b"\n"):
            byte = self.request.recv(1)
            if not byte:
                return
            line += byte
        verb, size = line.decode().split()
        {"echo": echo, "take": take, "give": give}[verb](self.request, int(size))


@contextmanager
def serving(server):
    """Serve streams meanwhile, in threads that have this one's priority; yields SERVER."""
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def at_port():
    """A server at a port of loopback, which is server_address[1]."""
    return socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)


def at_path(path):
    """A server at a UNIX socket."""
    return socketserver.ThreadingUnixStreamServer(str(path), Handler)
