# SPDX-License-Identifier: GPL-2.0-only
"""Processes of guests that a killed parent left, and that do not behave as they should."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

from scripts import say
from testbed import msgd
from testbed.msgd_tests.case import MANY_SECONDS, MsgdTest

# Listens where the process of a guest did: MODE, both paths, and what it says of itself
IMPOSTOR = """
import json, os, socket, sys, time

mode, meet, path, name, mark, version = sys.argv[1:]
def command():
    control = socket.socket(socket.AF_UNIX)
    control.connect(os.path.dirname(meet).removesuffix(".guests"))
    try:
        control.sendall(b'{"command": "none"}\\n')
        return "heard" if control.recv(100) else "refused"
    except OSError:
        return "refused"

sockets = []
for each in (meet, path):
    os.unlink(each)
    sockets.append(socket.socket(socket.AF_UNIX))
    sockets[-1].bind(each)
    sockets[-1].listen()
print("ready", flush=True)
line, _ = sockets[0].accept()
hello = json.dumps({"version": version, "name": name, "mark": mark}).encode() + b"\\0"
if mode == "nonsense":
    line.sendall(b"nonsense\\0")
elif mode == "alone":
    line.sendall(hello)
    # Until it is told to end
    sys.exit(not line.recv(100))
else:
    socket.send_fds(line, [hello], [each.fileno() for each in sockets])
if mode == "shares" and not os.fork():
    time.sleep(20)
    sys.exit()
for text in line.makefile() if mode in ("shares", "commands") else ():
    if "request" in text:
        if mode == "commands":
            print(command(), flush=True)
        reply = {"id": json.loads(text)["id"], "reply": {"ok": {"carriers": []}}}
        line.sendall(json.dumps(reply).encode() + b"\\n")
while mode == "talks":
    line.sendall(b"{}\\n")
    time.sleep(0.1)
time.sleep(1000)
"""


class Left(MsgdTest):
    kills = True

    def setUp(self):
        super().setUp()
        # What does not end is waited for, before it is killed
        patience = mock.patch.object(msgd, "SECONDS", MANY_SECONDS)
        patience.start()
        self.addCleanup(patience.stop)
        self.server = self.serve(["device=i2c"], {"other": ["device=i2c"]})
        self.other = self.guest("other")
        self.pid = self.server.processes()["msgd.sock"]
        words = Path(f"/proc/{self.pid}/cmdline").read_text()
        self.mark = re.search(r"mark=(\w+)", words)[1]

    def meeting_socket(self):
        """Where the first guest's process listens: the socket that is gone with it."""
        directory = Path(f"{self.server.control_socket}.guests")
        [other] = [path for path in directory.iterdir() if self.belongs_to(path, "other")]
        [found] = [path for path in directory.iterdir() if path != other]
        return found

    def belongs_to(self, path, name):
        """PATH is the socket of the guest called NAME."""
        value = 0xcbf29ce484222325
        for byte in f"uml:{self.directory / name}".encode():
            value = (value ^ byte) * 0x100000001b3 & (1 << 64) - 1
        return path.name == f"{value:016x}"

    def impostor(self, mode, mark=None):
        """In place of the first guest's process; the parent is gone, too."""
        meet = self.meeting_socket()
        self.server.crash()
        os.kill(self.pid, signal.SIGKILL)
        version = say.output([self.server.program, "--version"]).split()[1]
        process = subprocess.Popen([sys.executable, "-c", IMPOSTOR, mode, meet,
                                    self.server.socket, f"uml:{self.server.socket}",
                                    mark or self.mark, version], stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        process.stdout.readline()
        return process

    def assert_served(self):
        """By the next parent: the guest that was well, and one where the other was."""
        self.server.start()
        self.wait_log(self.server, f"uml:{self.directory}/other: goes on")
        self.assert_answers(self.other)
        self.assert_answers(self.guest())

    def test_hangs(self):
        """What does not answer keeps nobody from being served, and ends when it can."""
        os.kill(self.pid, signal.SIGSTOP)
        self.server.crash()
        self.assert_served()
        os.kill(self.pid, signal.SIGCONT)
        self.wait(lambda: not Path(f"/proc/{self.pid}").exists(), "its end")

    def test_next_parent_cannot_start(self):
        """A mistake in the options of one guest is not felt by those that are served."""
        guest = self.guest()
        self.server.crash()
        right = self.server.guests["other"]
        self.server.guests["other"] = ["device=nonsense"]
        failed = subprocess.run(self.server.command(), capture_output=True, check=False)
        self.assertEqual(failed.returncode, 2)
        self.assert_answers(guest)
        self.server.guests["other"] = right
        self.server.start()
        self.wait_log(self.server, "msgd.sock: goes on")
        self.assert_answers(guest)

    def test_nonsense(self):
        self.impostor("nonsense")
        self.assert_served()

    def test_without_sockets(self):
        process = self.impostor("alone")
        self.assert_served()
        self.assertIn(process.wait(), (0, -signal.SIGKILL))

    def test_talks_instead_of_ending(self):
        process = self.impostor("talks", mark="other")
        self.assert_served()
        self.assertEqual(process.wait(), -signal.SIGKILL)

    def test_gives_commands(self):
        """What a guest has taken over does not command the parent, and so not other guests."""
        process = self.impostor("commands")
        self.server.start()
        self.assertEqual(process.stdout.readline(), b"refused\n")
        self.assert_answers(self.other)

    def test_channel_in_other_hands(self):
        """It does not end, and when it is killed its channel is still there."""
        process = self.impostor("shares")
        self.server.start()
        self.wait_log(self.server, "msgd.sock: goes on")
        os.kill(self.server.pid, signal.SIGTERM)
        self.assertEqual(self.server.process.wait(15), 0)
        self.assertEqual(process.wait(), -signal.SIGKILL)
        self.server.start()
