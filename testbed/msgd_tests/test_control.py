# SPDX-License-Identifier: GPL-2.0-only
"""The control socket, the config file, and who may connect."""

import contextlib
import errno
import json
import os
import resource
import select
import shutil
import socket
import subprocess
import time
from pathlib import Path

from testbed import fake_backend as fake
from testbed.fake_driver import Driver
from testbed.fake_guest import FakeGuest, Refused
from testbed.msgd_tests.case import SOON, MsgdTest, number_of, program

I2C = 34
CLIENTS = 64
TICKS = os.sysconf("SC_CLK_TCK")


class Control(MsgdTest):
    def answers(self, server, data, count):
        """COUNT lines that come for DATA, after which nothing more is sent."""
        with server.client() as line:
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            with line.makefile("rb") as stream:
                found = list(stream)
        self.assertEqual(len(found), count)
        return [json.loads(line) for line in found]

    def test_name_cut_in_a_character(self):
        server = self.serve(["device=i2c"])
        for name in ("x" * 99 + "é", "x" * 98 + "€€", "é" * 200, "x" * 101, "é"):
            [answer] = self.answers(server, json.dumps(
                {"command": "remove", "window": name}, ensure_ascii=False).encode() + b"\n", 1)
            self.assertIn("does not exist", answer["error"])
            [answer] = self.answers(server, json.dumps(
                {"command": name, "window": "0"}, ensure_ascii=False).encode() + b"\n", 1)
            self.assertIn("error", answer)

    def test_path_that_is_no_text(self):
        path = os.fsencode(self.directory) + b"/\xff\xfe"
        server = self.serve(["device=i2c"], {os.fsdecode(b"\xff\xfe"): ["device=rng"]})
        carriers = server.ask("list")["carriers"]
        self.assertEqual([[each["device"] for each in carrier["windows"]]
                          for carrier in carriers], [["i2c"], ["rng"]])
        self.assertTrue(os.path.exists(path))
        server.ask("counters")

    def test_no_json(self):
        server = self.serve(["device=i2c"])
        for data in (b"\n", b"\xff\n", b"[]\n", b"{\n", b"{}\n", b'{"command":1}\n',
                     b'{"command":"\\u0000list"}\n', b'{"command":"list","window":[]}\n'):
            [answer] = self.answers(server, data, 1)
            self.assertTrue("error" in answer or "ok" in answer, data)

    def test_long_line(self):
        """It is refused once there is too much of it, whether or not it goes on."""
        server = self.serve(["device=i2c"])
        for size in (65535, 65536, 70000, 200000):
            for end in (b"", b"\n"):
                with server.client() as line, line.makefile("rb") as stream:
                    line.sendall((b"x" * size + end)[:120000])
                    if not end and size < 65536:
                        line.shutdown(socket.SHUT_WR)
                        self.assertEqual(stream.read(), b"")
                    else:
                        self.assertIn("error", json.loads(stream.readline()))
        server.ask("list")

    def test_client_that_does_not_read(self):
        """It is not listened to either, and costs little memory."""
        server = self.serve(["device=i2c"])
        status = Path(f"/proc/{server.process.pid}/status")
        before = number_of(status, "VmRSS")
        request = b'{"command":"counters"}\n' * 1000
        sent = 0
        with server.client() as line:
            line.setblocking(False)
            while sent < 7 << 20:
                if not select.select([], [line], [], 2)[1]:
                    break
                with contextlib.suppress(BlockingIOError):
                    sent += line.send(request)
            self.assertLess(sent, 4 << 20, "everything that was sent was taken")
            with self.soon("another client's command"):
                server.ask("list")
            self.assertLess(number_of(status, "VmRSS") - before, 32 << 10)

    def test_client_that_sends_no_more(self):
        server = self.serve(["device=i2c"])
        found = []
        with server.client() as line:
            line.sendall(b'{"command":"list"}\n' * 3000)
            line.shutdown(socket.SHUT_WR)
            with line.makefile("rb") as stream:
                found = list(stream)
        self.assertEqual(len(found), 3000)

    def abandon(self, server, command):
        """Ask for what takes long, and be gone: whether it was heard."""
        try:
            with server.client() as line:
                line.sendall(b"{}\n" + json.dumps(command).encode() + b"\n")
                # The answer to the first one is never read, so the end is an error
                return bool(line.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def test_requests_that_nobody_waits_for(self):
        """They are under way all the same: there are not more of them than of clients."""
        backend = self.backend(faults={fake.SET_MEM_TABLE: fake.HANG})
        server = self.serve([f"device=i2c,socket={backend.path},answer=4"])
        driver = Driver(self.guest())
        self.wait_device(driver, I2C)
        driver.negotiate()
        driver.queue()
        driver.write(0x100, 0xC << 48 | 0x0800, 8)
        driver.guest.begin(2, 4, 0x108, 15)
        heard = sum(self.abandon(server, {"command": "set", "window": "0"})
                    for _ in range(100))
        self.assertGreater(heard, 10)
        self.assertLessEqual(heard, CLIENTS)
        driver.guest.finish()
        self.wait(server.serves, "the control socket's turn")


class ConfigFile(MsgdTest):
    def start(self, text):
        """Start with a config file; returns (its windows, None) or (None, what is wrong)."""
        path = self.directory / "config"
        path.write_text(text.replace("@", str(self.directory)))
        check = subprocess.run([program(), "--config", path, "--uml", self.directory / "none",
                                "--window", "device=toaster"], capture_output=True, text=True,
                               timeout=20, check=False)
        self.assertEqual(check.returncode, 2)
        return check.stderr

    def windows(self, text):
        """What each window of the guest in the file has."""
        path = self.directory / "config"
        path.write_text(text.replace("@", str(self.directory)))
        server = self.serve((), options=["--config", path])
        [carrier] = [each for each in server.ask("list")["carriers"]
                     if each["name"].endswith("/p")]
        return [(each["device"], each["personality"]) for each in carrier["windows"]]

    def test_empty_section(self):
        self.assertEqual(self.windows("[uml]\npath=@/p\n[window 0]\n[window 1]\ndevice=i2c\n"),
                         [(None, "msg"), ("i2c", "msg")])

    def test_empty_section_at_the_end(self):
        self.assertEqual(self.windows("[uml]\npath=@/p\n[window 0]\ndevice=i2c\n[window 1]\n"),
                         [("i2c", "msg"), (None, "msg")])

    def test_sections_of_the_same_name(self):
        """Two windows, or an error: not one with the keys of both."""
        self.assertEqual(self.windows("[uml]\npath=@/p\n[window]\ndevice=i2c\n"
                                      "[window]\npersonality=mmio\n"),
                         [("i2c", "msg"), (None, "mmio")])

    def assert_refused(self, text, *parts):
        """A file is wrong, and the line that says so has PARTS in it."""
        said = self.start("[uml]\npath=@/p\n" + text)
        self.assertEqual(said.count("\n"), 1, said)
        for part in parts:
            self.assertIn(part, said)
        self.assertNotIn("toaster", said)

    def test_unknown_section(self):
        self.assert_refused("[windw 1]\n", "windw 1")

    def test_section_twice(self):
        self.assert_refused("[window 0]\ndevice=i2c\n[window 0]\n", "window 0", "twice")

    def test_long_line(self):
        self.assert_refused(f"[window 0]\nconfig = {'0' * 5000}\n", "line 4", "too long")

    def test_long_comment(self):
        self.assertEqual(self.windows(f"[uml]\npath=@/p\n; {'x' * 5000}\n"
                                      f"[window 0]\n# {'y' * 5000}\ndevice=i2c\n"),
                         [("i2c", "msg")])


class Connections(MsgdTest):
    """Who may connect, and how many."""

    def test_nobody_is_the_same_guest(self):
        """Outside of its PID namespace everybody is process 0."""
        unshare = ["unshare", "--pid", "--fork", "--kill-child"]
        if not shutil.which("unshare") or subprocess.run(
                [*unshare, "true"], capture_output=True, check=False).returncode:
            self.skipTest("no PID namespace can be had")
        self.serve(["device=rng"], before=unshare)
        guest = self.guest()
        for _ in range(2):
            with self.assertRaises(Refused) as caught, \
                    FakeGuest(self.directory / "msgd.sock"):
                pass
            self.assertEqual(caught.exception.error, errno.EBUSY)
            self.assert_answers(guest, "the first guest's access")

    def test_the_same_guest_again(self):
        """The same process has rebooted, whatever became of its old connection."""
        self.serve(["device=rng"])
        self.guest()
        self.assert_answers(self.guest())

    def cpu(self, pid):
        """Seconds of CPU that a process took."""
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def crowd(self, path, number):
        """NUMBER clients that say nothing, or fewer if no more can connect."""
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        end = time.monotonic() + SOON
        for _ in range(number):
            line = stack.enter_context(socket.socket(socket.AF_UNIX))
            line.setblocking(False)
            while time.monotonic() < end:
                try:
                    line.connect(str(path))
                    break
                except BlockingIOError:
                    # There are as many as may wait
                    time.sleep(0.01)
        return stack

    def assert_quiet(self, pid):
        """It takes hardly any CPU."""
        before = self.cpu(pid)
        time.sleep(2)
        self.assertLess(self.cpu(pid) - before, 0.5)

    def test_control_socket_at_the_limit(self):
        server = self.serve(["device=rng"])
        guest = self.guest()
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (32, 32))
        crowd = self.crowd(server.control_socket, 40)
        self.wait_log(server, "nobody can connect for now")
        self.assert_quiet(server.process.pid)
        self.assert_answers(guest)
        self.assertEqual(server.log().count("nobody can connect for now"), 1)
        crowd.close()
        self.wait(lambda: self.asked(server), "an answer at the control socket")

    def asked(self, server):
        """Whether a command is answered in a moment."""
        try:
            with server.client(0.5) as line:
                line.sendall(b'{"command":"list"}\n')
                return line.recv(1)
        except OSError:
            return False

    def test_guests_socket_at_the_limit(self):
        server = self.serve(["device=rng"], {"other": ["device=rng"]})
        guest, other = self.guest(), self.guest("other")
        pid = server.processes()["msgd.sock"]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (32, 32))
        crowd = self.crowd(server.socket, 60)
        self.assert_quiet(pid)
        self.assert_answers(guest, "the guest's access")
        self.assert_answers(other)
        crowd.close()
        guest.disconnect()
        self.wait(self.connected(guest), "a connection")

    def connected(self, guest):
        """Tries to connect."""
        def attempt():
            guest.seconds = 1
            try:
                guest.connect()
            except OSError:
                return False
            return True
        return attempt
