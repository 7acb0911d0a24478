#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The program as its users see it: options, exit status, control socket, processes."""

import json
import mmap
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
SECONDS = 20


def run(*args):
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=SECONDS)


def children(pid):
    """The processes whose parent is PID."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(word) for word in f.read().split()]


def gone(pid):
    """Whether there is no such process, or init has yet to bury it."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


class Usage(unittest.TestCase):
    def refused(self, *args, status=2):
        result = run(*args)
        self.assertEqual(result.returncode, status, result)
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        return result.stderr

    def test_help(self):
        result = run("--help")
        self.assertEqual(result.returncode, 0)
        self.assertTrue(result.stdout.startswith("Usage: virtio-msgd "))
        for line in result.stdout.splitlines():
            self.assertLessEqual(len(line), 90)

    def test_version(self):
        result = run("--version")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertRegex(result.stdout, r"^virtio-msgd [0-9.]+\n$")

    def test_wrong_options(self):
        self.refused()
        self.refused("--nonsense")
        self.refused("--uml")
        self.refused("word")
        self.refused("--window", "device=i2c")
        self.refused("--uml", "/nonexistent/socket")
        self.refused("--config", "/nonexistent")

    def test_wrong_window(self):
        with tempfile.TemporaryDirectory() as d:
            guest = os.path.join(d, "guest")
            text = self.refused("--uml", guest, "--window", "device=toaster")
            self.assertIn("toaster", text)
            # No socket is left behind
            self.assertEqual(os.listdir(d), [])
            self.refused("--uml", guest, "--listen", "/nonexistent/control")
            self.assertEqual(os.listdir(d), [])

    def test_unreachable_control_socket(self):
        self.assertIn("No such file", self.refused("--control", "/nonexistent", "list"))
        self.refused("--control", "/nonexistent")
        self.refused("--control", "/nonexistent", "add", "0", "device")


class Guest:
    """A guest that loads registers of its first window, see arch/um/drivers/mmio_sock.h."""

    SIZE = 1 << 20

    def __init__(self, path):
        memory = os.memfd_create("guest")
        os.ftruncate(memory, self.SIZE)
        self.memory = mmap.mmap(memory, self.SIZE)
        bell, ring = os.pipe()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(SECONDS)
        self.socket.connect(path)
        hello = struct.pack("=IIQQQQQQII", 0x6f696d6d, 1, 1 << 28, 0x400, 1 << 30, self.SIZE,
                            0, 0, 2, 0)
        socket.send_fds(self.socket, [hello], [memory, ring])
        self.error = struct.unpack("=IIII", self.socket.recv(16, socket.MSG_WAITALL))[2]
        for fd in (memory, bell, ring):
            os.close(fd)

    def magic(self):
        """The first register; b"" in place of its value if the connection is over."""
        self.socket.sendall(struct.pack("=BB6xQQ", 1, 4, 0, 0))
        return self.socket.recv(8, socket.MSG_WAITALL)

    def close(self):
        self.socket.close()
        self.memory.close()


MAGIC = struct.pack("=Q", 0x67736d76)


class Running(unittest.TestCase):
    """Two guests, the first of which has two windows.

    The processes of guests outlive a parent that is killed, so all that a parent
    started is ended by its group.
    """

    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.control = os.path.join(self.dir.name, "control")
        self.counters = os.path.join(self.dir.name, "counters.json")
        self.guest = os.path.join(self.dir.name, "guest")
        self.other = os.path.join(self.dir.name, "other")
        self.log = os.path.join(self.dir.name, "log")
        self.config = os.path.join(self.dir.name, "config")
        self.write_config()
        self.server = self.start()

    def write_config(self, device="i2c", more=""):
        with open(self.config, "w", encoding="ascii") as f:
            f.write(f"[uml]\npath = {self.guest}\n"
                    f"[window 0]\ndevice = {device}\n[window 1]\nindex = 1\n"
                    f"[uml other]\npath = {self.other}\n[window other]\ndevice = rng\n{more}")

    def start(self):
        """A parent that answers; returns its process."""
        with open(self.log, "ab") as log:
            server = subprocess.Popen(
                [PROGRAM, "--config", self.config, "--listen", self.control,
                 "--counters", self.counters], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        self.addCleanup(self.end, server)
        self.wait(lambda: not run("--control", self.control, "list").returncode or
                  server.poll() is not None)
        self.assertIsNone(server.poll(), "it ended")
        return server

    def end(self, server):
        try:
            os.killpg(server.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        server.wait()

    def wait(self, condition):
        end = time.monotonic() + SECONDS
        while not condition():
            if time.monotonic() > end:
                with open(self.log, encoding="utf-8") as f:
                    self.fail(f"it did not come to that; the log:\n{f.read()}")
            time.sleep(0.01)

    def logged(self, text):
        with open(self.log, encoding="utf-8") as f:
            return f.read().count(text)

    def ask(self, *words, status=0):
        result = run("--control", self.control, *words)
        self.assertEqual(result.returncode, status, result)
        return json.loads(result.stdout) if not status else result.stderr

    def windows(self, guest=0):
        return self.ask("list")["carriers"][guest]["windows"]

    def connect(self, path):
        guest = Guest(path)
        self.addCleanup(guest.close)
        self.assertEqual(guest.error, 0)
        self.assertEqual(guest.magic(), MAGIC)
        return guest

    def process_of(self, path):
        """The process that serves the guest at PATH, by its command line."""
        for pid in children(self.server.pid):
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if os.fsencode(f"path={path}") in f.read().split(b"\0"):
                    return pid
        return None

    def test_commands(self):
        self.assertEqual([w["device"] for w in self.windows()], ["i2c", None])
        self.assertEqual([w["device"] for w in self.windows(1)], ["rng"])
        self.ask("add", "1", "device=rng,packed=on")
        self.assertEqual([w["device"] for w in self.windows()], ["i2c", "rng"])
        self.ask("remove", "0")
        self.assertEqual([w["present"] for w in self.windows()], [False, True])
        generation = self.windows()[1]["generation"]
        self.ask("config-change", "1")
        self.assertEqual(self.windows()[1]["generation"], generation + 1)
        self.assertIn("window 1 has a device", self.ask("add", "1", "device=rng", status=1))
        self.assertIn("no such command", self.ask("dance", status=1))
        self.ask("remove", f"uml:{self.other}/0")
        self.assertEqual([w["present"] for w in self.windows(1)], [False])

    def test_slots(self):
        self.end(self.server)
        self.write_config(more="slots = 3\n[slot]\ndevice = i2c\n")
        self.server = self.start()
        window = self.windows(1)[0]
        self.assertEqual((window["index"], window["room"]), (0, 3))
        self.assertEqual([(s["slot"], s["device"], s["present"]) for s in window["slots"]],
                         [(0, "rng", True), (1, "i2c", True)])
        name = f"uml:{self.other}/0"
        # The first that is free, and the one that is named
        self.assertEqual(self.ask("add", name, "device=blk,size=4096")["slot"], 2)
        self.assertIn("a device in each of its 3 slots",
                      self.ask("add", name, "device=rng", status=1))
        self.assertIn("say which", self.ask("remove", name, status=1))
        self.assertIn("has 3 slots", self.ask("remove", f"{name}.3", status=1))
        for nonsense in (".", ".x", ".-1", ".1x", ".1.1", f".{1 << 31}", f".{1 << 32}", f".{1 << 64}"):
            self.ask("remove", name + nonsense, status=1)
        self.ask("remove", f"{name}.1")
        self.assertIn("window 0.1 has no device", self.ask("remove", f"{name}.1", status=1))
        self.assertEqual(self.ask("add", f"{name}.1", "device=rng")["slot"], 1)
        self.ask("set", f"{name}.2", "size=8192")
        self.ask("config-change", f"{name}.2")
        slots = self.ask("counters")["carriers"][1]["windows"][0]["slots"]
        self.assertEqual([(s["device"], s["kicks"], s["interrupts"]) for s in slots],
                         [("rng", 0, 0), ("rng", 0, 0), ("blk", 0, 0)])
        # A window with one is named as before
        self.assertNotIn("slot", self.ask("remove", "0.0"))

    def test_end(self):
        processes = children(self.server.pid)
        self.assertEqual(len(processes), 2)
        self.server.send_signal(signal.SIGTERM)
        self.assertEqual(self.server.wait(SECONDS), 0)
        for pid in processes:
            self.assertTrue(gone(pid))
        with open(self.counters, encoding="ascii") as f:
            window = json.load(f)["carriers"][0]["windows"][0]
        self.assertEqual(window["traps"], {"total": 0, "read": {}, "write": {}})
        # No guest, so nobody was told of the device
        self.assertEqual(window["interrupts"], 0)
        self.assertEqual(sorted(os.listdir(self.dir.name)), ["config", "counters.json", "log"])

    def test_end_while_it_starts(self):
        """There is no moment at which it cannot be ended in order."""
        self.server.send_signal(signal.SIGTERM)
        self.server.wait(SECONDS)
        with open(self.log, "ab") as log, \
                subprocess.Popen([PROGRAM, "--config", self.config, "--listen", self.control],
                                 stderr=log, start_new_session=True) as server:
            self.addCleanup(self.end, server)
            self.wait(lambda: os.path.exists(self.control))
            server.send_signal(signal.SIGTERM)
            self.assertEqual(server.wait(SECONDS), 0)
        self.assertEqual(sorted(os.listdir(self.dir.name)), ["config", "counters.json", "log"])

    def test_path_as_long_as_possible(self):
        """What is beside the control socket has longer paths."""
        path = self.dir.name + "/" + "x" * (106 - len(self.dir.name))
        with open(self.log, "ab") as log, \
                subprocess.Popen([PROGRAM, "--uml", os.path.join(self.dir.name, "third"),
                                  "--listen", path], stderr=log,
                                 start_new_session=True) as server:
            self.addCleanup(self.end, server)
            self.wait(lambda: not run("--control", path, "list").returncode)
            server.send_signal(signal.SIGTERM)
            self.assertEqual(server.wait(SECONDS), 0)
        self.assertFalse(os.path.exists(path + ".guests"))

    def test_only_one_has_the_control_socket(self):
        result = run("--uml", os.path.join(self.dir.name, "third"), "--listen", self.control)
        self.assertEqual(result.returncode, 2)
        self.assertIn("in use", result.stderr)
        self.windows()

    def test_killed_process_of_a_guest(self):
        """Its guest's connection ends, the other guest notices nothing; it is started again."""
        guest, other = self.connect(self.guest), self.connect(self.other)
        for _ in range(3):
            pid = self.process_of(self.guest)
            stays = self.process_of(self.other)
            os.kill(pid, signal.SIGKILL)
            self.wait(lambda: self.process_of(self.guest) not in (None, pid))
            self.wait(lambda: [w["device"] for w in self.windows()] == ["i2c", None])
            self.assertEqual(self.process_of(self.other), stays)
            self.assertEqual(other.magic(), MAGIC)
            self.assertIn(self.outcome(guest), (b"", ConnectionResetError, BrokenPipeError))
            guest = self.connect(self.guest)
        self.assertEqual(self.logged("its process was ended by signal 9"), 3)

    def outcome(self, guest):
        try:
            return guest.magic()
        except OSError as problem:
            return type(problem)

    def crash(self):
        """The parent is killed; returns its children, which are still there."""
        processes = children(self.server.pid)
        self.server.kill()
        self.server.wait()
        self.assertEqual(len(processes), 2)
        for pid in processes:
            self.assertFalse(gone(pid))
        return processes

    def test_killed_parent(self):
        """Guests go on without a parent, and under the next one, whose commands they obey."""
        guest, other = self.connect(self.guest), self.connect(self.other)
        self.ask("add", "1", "device=rng")
        processes = self.crash()
        self.assertEqual(guest.magic(), MAGIC)
        self.server = self.start()
        self.assertEqual(guest.magic(), MAGIC)
        self.assertEqual(other.magic(), MAGIC)
        self.assertEqual(children(self.server.pid), [])
        self.assertEqual([w["device"] for w in self.windows()], ["i2c", "rng"])
        self.assertEqual(self.logged("goes on, under this virtio-msgd"), 2)
        for pid in processes:
            self.assertFalse(gone(pid))
        # A guest may go and another come: the socket is the same
        other.close()
        self.connect(self.other)
        self.server.send_signal(signal.SIGTERM)
        self.assertEqual(self.server.wait(SECONDS), 0)
        for pid in processes:
            self.wait(lambda pid=pid: gone(pid))
        self.assertEqual(sorted(os.listdir(self.dir.name)), ["config", "counters.json", "log"])

    def test_adopted_process_killed(self):
        """It is nobody's child, but missed and replaced all the same."""
        guest = self.connect(self.guest)
        processes = self.crash()
        self.server = self.start()
        for pid in processes:
            os.kill(pid, signal.SIGKILL)
        self.wait(lambda: len(children(self.server.pid)) == 2)
        self.wait(lambda: self.windows() and self.windows(1))
        self.assertIn(self.outcome(guest), (b"", ConnectionResetError, BrokenPipeError))
        self.connect(self.guest)

    def test_killed_parent_and_other_options(self):
        """A process with other options than the next parent's is dismissed, the rest goes on."""
        guest, other = self.connect(self.guest), self.connect(self.other)
        processes = self.crash()
        self.write_config("rng")
        self.server = self.start()
        self.assertEqual([w["device"] for w in self.windows()], ["rng", None])
        self.assertIn(self.outcome(guest), (b"", ConnectionResetError, BrokenPipeError))
        self.assertEqual(other.magic(), MAGIC)
        self.assertEqual(len(children(self.server.pid)), 1)
        self.assertEqual(sum(gone(pid) for pid in processes), 1)
        self.assertEqual(self.logged("is told to end"), 1)

    def test_killed_parent_and_guest_not_wanted(self):
        self.connect(self.guest)
        self.crash()
        with open(self.config, "w", encoding="ascii") as f:
            f.write(f"[uml]\npath = {self.other}\n[window other]\ndevice = rng\n")
        self.server = self.start()
        self.assertEqual([c["name"] for c in self.ask("list")["carriers"]],
                         [f"uml:{self.other}"])
        self.assertEqual(self.logged("is told to end"), 1)

    def test_killed_without_a_control_socket(self):
        """Nobody could find its process: that ends, too."""
        with open(self.log, "ab") as log:
            server = subprocess.Popen([PROGRAM, "--uml", os.path.join(self.dir.name, "third")],
                                      stderr=log, start_new_session=True)
        self.addCleanup(self.end, server)
        self.wait(lambda: children(server.pid))
        [pid] = children(server.pid)
        server.kill()
        server.wait()
        self.wait(lambda: gone(pid))


if __name__ == "__main__":
    unittest.main()
