# SPDX-License-Identifier: GPL-2.0-only
"""A vhost-user backend that means harm: wrong, late, early, unasked, silent, or gone, in the
middle of everything, in an order that a seed chooses."""

import contextlib
import os
import random
import socket
import struct

from testbed import fake_backend as fake
from testbed.fake_backend import HEADER, REPLY, U64, VERSION, FakeBackend

SET_BACKEND_REQ_FD, GET_INFLIGHT_FD, SET_INFLIGHT_FD = 21, 31, 32
BACKEND_REQ, INFLIGHT_SHMFD = 1 << 5, 1 << 12
CONFIG_CHANGE = 2
INFLIGHT = struct.Struct("=QQHH4x")
# Of what is there for a frontend that wants it
PROTOCOL = (fake.MQ | fake.REPLY_ACK | fake.CONFIG | fake.CONFIGURE_MEM_SLOTS | BACKEND_REQ
            | INFLIGHT_SHMFD)
SMALL = 100


class HostileBackend(FakeBackend):
    """Does something wrong in RATE answers of 1, another thing each time, by SEED."""

    # Longer than who waits a second does
    LATE_SECONDS = 1.3

    def __init__(self, path, seed, rate=0.1, **options):
        super().__init__(path, **{"protocol": PROTOCOL, **options})
        self.random, self.rate = random.Random(seed), rate
        self.wrongs = (self._close, self._cut, self._silence, self._late, self._early,
                       self._unasked, self._other_size, self._other_request, self._huge,
                       self._garbage, self._noise, self._descriptors, self._bells, self._ask)
        # What the frontend gave: its bells, and where it is asked
        self.bells, self.asking = [], None

    def greet(self):
        if self.random.random() < self.rate / 4:
            self.line.sendall(self.random.randbytes(self.random.randrange(1, 100)))

    def part(self):
        for fd in self.bells:
            os.close(fd)
        if self.asking:
            self.asking.close()
        self.bells, self.asking = [], None

    def take_fds(self, request, fds):
        if request == fake.SET_VRING_KICK:
            for fd in fds:
                self._block(fd)
        if request == fake.SET_VRING_CALL:
            self.bells += fds
        elif request == SET_BACKEND_REQ_FD and fds and not self.asking:
            self.asking = socket.socket(fileno=fds[0])
            self.asking.setblocking(False)
            super().take_fds(request, fds[1:])
        else:
            super().take_fds(request, fds)

    def _block(self, fd):
        # Whoever kicks next would have to wait for ever
        if self.random.random() < self.rate and not os.get_blocking(fd):
            with contextlib.suppress(BlockingIOError):
                os.write(fd, U64.pack(fake.BlockingBackend.FULL))
            os.set_blocking(fd, True)

    def answer(self, request, payload):
        # It keeps no record, as a backend may
        if request == GET_INFLIGHT_FD:
            return INFLIGHT.pack(0, 0, 1, 0)
        return super().answer(request, payload)

    def carry_out(self, request, answer):
        if self.random.random() >= self.rate:
            return super().carry_out(request, answer)
        wrong = self.random.choice(self.wrongs)
        return wrong(request, answer if answer is not None else b"") is not False

    def _close(self, request, answer):
        return False

    def _cut(self, request, answer):
        message = HEADER.pack(request, VERSION | REPLY, len(answer)) + answer
        self.line.sendall(message[:self.random.randrange(len(message))])
        return self.random.random() < 0.5

    def _silence(self, request, answer):
        pass

    def _late(self, request, answer):
        self.stopping.wait(self.random.uniform(0, self.LATE_SECONDS))
        self.reply(request, answer)

    def _early(self, request, answer):
        # Before the request that it is for
        self.reply(request, answer)
        self.reply(request + 1, U64.pack(0))

    def _unasked(self, request, answer):
        self.reply(self.random.randrange(64), self.random.randbytes(8))
        self.reply(request, answer)

    def _other_size(self, request, answer):
        self.reply(request, self.random.randbytes(self.random.randrange(300)))

    def _other_request(self, request, answer):
        self.line.sendall(HEADER.pack(self.random.randrange(1 << 32), self.random.randrange(16),
                                      len(answer)) + answer)

    def _huge(self, request, answer):
        self.line.sendall(HEADER.pack(request, VERSION | REPLY, self.random.randrange(1 << 32)))

    def _garbage(self, request, answer):
        self.line.sendall(self.random.randbytes(self.random.randrange(1, 1000)))

    def _noise(self, request, answer):
        # Values that are possible, and not expected
        self.reply(request, self.random.randbytes(len(answer)))

    def _descriptors(self, request, answer):
        # Of a record that is not as large as it is said to be, or that nobody asked for
        if request == GET_INFLIGHT_FD:
            answer = INFLIGHT.pack(self.random.getrandbits(48), self.random.getrandbits(8), 1, 64)
        record = os.memfd_create("record")
        try:
            os.ftruncate(record, SMALL)
            message = HEADER.pack(request, VERSION | REPLY, len(answer)) + answer
            socket.send_fds(self.line, [message], [record] * self.random.choice((1, 1, 2, 8)))
        finally:
            os.close(record)

    def _bells(self, request, answer):
        # Interrupts for nothing
        for fd in self.bells:
            os.write(fd, U64.pack(self.random.choice((1, 1 << 32))))
        self.reply(request, answer)

    def _ask(self, request, answer):
        # Of the frontend, which is in the middle of asking
        try:
            for _ in range(self.random.randrange(20) if self.asking else 0):
                data = HEADER.pack(self.random.choice((CONFIG_CHANGE, CONFIG_CHANGE, 1, 5, 99)),
                                   VERSION | self.random.choice((0, 8, REPLY)), 0)
                if self.random.random() < 0.2:
                    data = self.random.randbytes(30)
                self.asking.send(data)
        except BlockingIOError:
            pass
        self.reply(request, answer)
