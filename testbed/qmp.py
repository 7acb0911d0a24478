# SPDX-License-Identifier: GPL-2.0-only
"""A client of the monitor protocol (QMP) that QEMU and qemu-storage-daemon speak."""

import json
import socket
import time

from scripts import say

SECONDS = 10


class Qmp:
    """A connection to the monitor at the socket PATH."""

    def __init__(self, path):
        self.line = socket.socket(socket.AF_UNIX)
        self.line.settimeout(SECONDS)
        self.events = []
        self.received = b""
        try:
            self.line.connect(str(path))
            self.receive(SECONDS)
            self.execute("qmp_capabilities")
        except BaseException:
            self.line.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.line.close()

    def receive(self, seconds):
        """The next object that the monitor sends."""
        end = time.monotonic() + seconds
        while b"\n" not in self.received:
            self.line.settimeout(max(0.01, end - time.monotonic()))
            data = self.line.recv(65536)
            if not data:
                raise ConnectionError("the monitor has closed the connection")
            self.received += data
        text, _, self.received = self.received.partition(b"\n")
        return json.loads(text)

    def execute(self, command, **arguments):
        """One command; returns what it returned."""
        request = {"execute": command, "arguments": arguments}
        self.line.sendall(json.dumps(request).encode() + b"\n")
        while "event" in (answer := self.receive(SECONDS)):
            self.events.append(answer)
        if "error" in answer:
            raise say.Error(f"the monitor refuses {request}: {answer['error']}")
        return answer["return"]

    def wait_event(self, name, seconds=SECONDS, **data):
        """Wait for the event NAME with DATA, which may have come already; it is forgotten then."""
        end = time.monotonic() + seconds
        while True:
            for event in self.events:
                if event["event"] == name and data.items() <= event.get("data", {}).items():
                    self.events.remove(event)
                    return event
            try:
                self.events.append(self.receive(max(0.01, end - time.monotonic())))
            except TimeoutError as problem:
                raise say.Error(f"no {name} of {data} in {seconds} s: {self.events}") from problem
