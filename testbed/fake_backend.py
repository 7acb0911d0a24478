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
CONFIG_HEADER = struct.Struct("=III")
VERSION, REPLY, NEED_REPLY = 1, 4, 8
MAX_FDS = 8

GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM_TABLE = 1, 2, 3, 5
SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE = 8, 9, 10, 11
SET_VRING_KICK, SET_VRING_CALL = 12, 13
GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_QUEUE_NUM = 15, 16, 17
SET_VRING_ENABLE, GET_CONFIG, SET_CONFIG = 18, 24, 25
GET_MAX_MEM_SLOTS, ADD_MEM_REG, REM_MEM_REG = 36, 37, 38

VERSION_1 = 1 << 32
I2C_F_ZERO_LENGTH_REQUEST = 1 << 0
PROTOCOL_FEATURES = 1 << 30
MQ, REPLY_ACK, CONFIG, CONFIGURE_MEM_SLOTS = 1 << 0, 1 << 3, 1 << 9, 1 << 15

# What it does instead of a proper reply
HANG, CLOSE, GARBAGE, REFUSE = "hang", "close", "garbage", "refuse"


class FakeBackend:
    """Listens at PATH from start() to stop().

    FAULTS: {request: HANG, ...}; with a number in place of a fault the request is carried
    out so many seconds later. CONFIG_SPACE: what GET_CONFIG reads, if CONFIG is in PROTOCOL.
    """

    def __init__(self, path, faults=None, features=VERSION_1 | I2C_F_ZERO_LENGTH_REQUEST,
                 queues=1, protocol=MQ | REPLY_ACK, config_space=bytes(256), mem_slots=8):
        self.path = Path(path)
        self.faults = dict(faults or {})
        self.features, self.queues = features | PROTOCOL_FEATURES, queues
        self.protocol, self.config_space, self.mem_slots = protocol, config_space, mem_slots
        self.requests = []
        self.server = self.thread = self.line = None
        self.stopping = threading.Event()

    def start(self):
        """Begin to listen."""
        self.path.unlink(missing_ok=True)
        self.stopping.clear()
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
        self.stopping.set()
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
                    self.greet()
                    while self._serve():
                        pass
                except OSError:
                    pass
            self.part()

    def _serve(self):
        """One request; False when the connection is over."""
        data, fds = self._receive(HEADER.size)
        request, flags, size = HEADER.unpack(data) if data else (0, 0, 0)
        self.take_fds(request, fds)
        if not data:
            return False
        payload, _ = self._receive(size) if size else (b"", [])
        self.requests.append(request)
        answer = self.answer(request, payload)
        if answer is None and flags & NEED_REPLY:
            answer = U64.pack(0)
        return self.carry_out(request, answer)

    def greet(self):
        """A frontend has connected. Nothing is said before it asks."""

    def part(self):
        """It is gone."""

    def take_fds(self, request, fds):
        """The descriptors that came with REQUEST: none is of use."""
        for fd in fds:
            os.close(fd)

    def carry_out(self, request, answer):
        """Send the proper ANSWER (None: there is none), or do what FAULTS has instead.

        False: close the connection.
        """
        fault = self.faults.get(request)
        if fault == CLOSE:
            return False
        if fault == GARBAGE:
            self.line.sendall(b"\xa5" * 400)
        elif fault == REFUSE:
            self.reply(request, U64.pack(1))
        elif fault != HANG:
            if fault:
                self.stopping.wait(fault)
            if answer is not None:
                self.reply(request, answer)
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

    def reply(self, request, payload):
        """Send a reply."""
        self.line.sendall(HEADER.pack(request, VERSION | REPLY, len(payload)) + payload)

    def answer(self, request, payload):
        """The reply that REQUEST has of its own, or None."""
        if request == GET_FEATURES:
            return U64.pack(self.features)
        if request == GET_PROTOCOL_FEATURES:
            return U64.pack(self.protocol)
        if request == GET_QUEUE_NUM:
            return U64.pack(self.queues)
        if request == GET_MAX_MEM_SLOTS:
            return U64.pack(self.mem_slots)
        if request == GET_VRING_BASE:
            return payload
        if request == GET_CONFIG:
            return self._config(payload)
        return None

    def _config(self, payload):
        """What is asked of config space; nothing, if there is less."""
        offset, size, flags = CONFIG_HEADER.unpack_from(payload)
        if offset + size > len(self.config_space):
            return b""
        return CONFIG_HEADER.pack(offset, size, flags) + self.config_space[offset:offset + size]


class BlockingBackend(FakeBackend):
    """Has the eventfds that it gets block, and those for kicks at once."""

    FULL = (1 << 64) - 2

    def take_fds(self, request, fds):
        for fd in fds:
            if request in (SET_VRING_KICK, SET_VRING_CALL):
                os.set_blocking(fd, True)
            if request == SET_VRING_KICK:
                os.write(fd, U64.pack(self.FULL))
        super().take_fds(request, fds)
