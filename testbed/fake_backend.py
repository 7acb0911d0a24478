# SPDX-License-Identifier: GPL-2.0-only
"""A vhost-user backend that misbehaves where it is told to. It serves no request of a
driver: what it is for is everything before and after."""

import array
import os
import socket
import struct
import threading
from pathlib import Path

HEADER = struct.Struct("=III")
U64 = struct.Struct("=Q")
VERSION, REPLY, NEED_REPLY = 1, 4, 8
MAX_FDS = 8

GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM_TABLE = 1, 2, 3, 5
SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE = 8, 9, 10, 11
SET_VRING_KICK, SET_VRING_CALL = 12, 13
GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_QUEUE_NUM = 15, 16, 17

VERSION_1 = 1 << 32
I2C_F_ZERO_LENGTH_REQUEST = 1 << 0
PROTOCOL_FEATURES = 1 << 30
MQ, REPLY_ACK = 1 << 0, 1 << 3

# What it does instead of a proper reply
HANG, CLOSE, GARBAGE, REFUSE = "hang", "close", "garbage", "refuse"


class FakeBackend:
    """Listens at PATH from start() to stop(). FAULTS: {request: HANG, ...}"""

    def __init__(self, path, faults=None, features=VERSION_1 | I2C_F_ZERO_LENGTH_REQUEST,
                 queues=1):
        self.path = Path(path)
        self.faults = dict(faults or {})
        self.features, self.queues = features | PROTOCOL_FEATURES, queues
        self.requests = []
        self.server = self.thread = self.line = None

    def start(self):
        """Begin to listen."""
        self.path.unlink(missing_ok=True)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(self.path))
        self.server.listen()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def stop(self):
        """End as a process would: all connections are closed."""
        if not self.server:
            return
        for line in (self.server, self.line):
            try:
                if line:
                    line.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.thread.join()
        self.server.close()
        self.server = None
        self.path.unlink(missing_ok=True)

    def _run(self):
        while True:
            try:
                self.line, _ = self.server.accept()
            except OSError:
                return
            with self.line:
                try:
                    while self._serve():
                        pass
                except OSError:
                    pass

    def _serve(self):
        """One request; False when the connection is over."""
        data, fds = self._receive(HEADER.size)
        for fd in fds:
            os.close(fd)
        if not data:
            return False
        request, flags, size = HEADER.unpack(data)
        payload, _ = self._receive(size) if size else (b"", [])
        self.requests.append(request)
        fault = self.faults.get(request)
        if fault == CLOSE:
            return False
        if fault == GARBAGE:
            self.line.sendall(b"\xa5" * 400)
        elif fault == REFUSE:
            self._reply(request, U64.pack(1))
        elif fault != HANG:
            answer = self._answer(request, payload)
            if answer is None and flags & NEED_REPLY:
                answer = U64.pack(0)
            if answer is not None:
                self._reply(request, answer)
        return True

    def _receive(self, size):
        data, fds = b"", array.array("i")
        while len(data) < size:
            more, control, _, _ = self.line.recvmsg(size - len(data),
                                                    socket.CMSG_SPACE(MAX_FDS * fds.itemsize))
            if not more:
                return b"", fds
            data += more
            for level, kind, content in control:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    fds.frombytes(content)
        return data, fds

    def _reply(self, request, payload):
        self.line.sendall(HEADER.pack(request, VERSION | REPLY, len(payload)) + payload)

    def _answer(self, request, payload):
        """The reply that REQUEST has of its own, or None."""
        if request == GET_FEATURES:
            return U64.pack(self.features)
        if request == GET_PROTOCOL_FEATURES:
            return U64.pack(MQ | REPLY_ACK)
        if request == GET_QUEUE_NUM:
            return U64.pack(self.queues)
        if request == GET_VRING_BASE:
            return payload
        return None
