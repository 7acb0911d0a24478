#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The program as its users see it: options, exit status, control socket."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1)


def run(*args):
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=20)


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


class Running(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.control = os.path.join(self.dir.name, "control")
        self.counters = os.path.join(self.dir.name, "counters.json")
        config = os.path.join(self.dir.name, "config")
        with open(config, "w", encoding="ascii") as f:
            f.write(f"[uml]\npath = {self.dir.name}/guest\n"
                    "[window 0]\ndevice = i2c\n[window 1]\nindex = 1\n")
        self.server = subprocess.Popen(
            [PROGRAM, "--config", config, "--listen", self.control,
             "--counters", self.counters], stderr=subprocess.PIPE, text=True,
            start_new_session=True)
        self.addCleanup(self.server.stderr.close)
        self.addCleanup(self.end)
        while not os.path.exists(self.control):
            self.assertIsNone(self.server.poll(), "it ended")
        # An answer says that all guests are served
        self.ask("list")

    def end(self):
        """Parent and guests, whether or not these have a parent."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.server.pid, signal.SIGKILL)
        self.server.wait()

    def ask(self, *words, status=0):
        result = run("--control", self.control, *words)
        self.assertEqual(result.returncode, status, result)
        return json.loads(result.stdout) if not status else result.stderr

    def windows(self):
        return self.ask("list")["carriers"][0]["windows"]

    def test_commands(self):
        self.assertEqual([w["device"] for w in self.windows()], ["i2c", None])
        self.ask("add", "1", "device=rng,packed=on")
        self.assertEqual([w["device"] for w in self.windows()], ["i2c", "rng"])
        self.ask("remove", "0")
        self.assertEqual([w["present"] for w in self.windows()], [False, True])
        generation = self.windows()[1]["generation"]
        self.ask("config-change", "1")
        self.assertEqual(self.windows()[1]["generation"], generation + 1)
        self.assertIn("window 1 has a device", self.ask("add", "1", "device=rng", status=1))
        self.assertIn("no such command", self.ask("dance", status=1))

    def test_end(self):
        self.server.send_signal(signal.SIGTERM)
        self.assertEqual(self.server.wait(20), 0)
        with open(self.counters, encoding="ascii") as f:
            window = json.load(f)["carriers"][0]["windows"][0]
        self.assertEqual(window["traps"], {"total": 0, "read": {}, "write": {}})
        # No guest, so nobody was told of the device
        self.assertEqual(window["interrupts"], 0)
        self.assertEqual(sorted(os.listdir(self.dir.name)), ["config", "counters.json"])

    def children(self):
        """The processes of the guests, by what the kernel says."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read().split(b"\0")
                with open(f"/proc/{pid}/stat", encoding="ascii") as f:
                    state = f.read().rsplit(")", 1)[1].split()
                if b"--guest" in words and int(state[3]) == self.server.pid and state[0] != "Z":
                    found.append(int(pid))
        return found

    def again(self, *args):
        """Another program, with the control socket of the first."""
        server = subprocess.Popen([PROGRAM, *args, "--listen", self.control],
                                  stderr=subprocess.PIPE, text=True)
        self.addCleanup(server.stderr.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        while run("--control", self.control, "list").returncode:
            self.assertIsNone(server.poll(), "it ended")
        return server

    def stop(self, server):
        server.terminate()
        self.assertEqual(server.wait(20), 0)
        return server.stderr.read()

    def test_second_one(self):
        text = run("--uml", os.path.join(self.dir.name, "other"), "--listen", self.control)
        self.assertEqual(text.returncode, 2)
        self.assertEqual(len(self.windows()), 2)

    def test_parent_killed(self):
        [child] = self.children()
        self.ask("remove", "0")
        self.server.kill()
        self.server.wait()
        server = self.again("--config", os.path.join(self.dir.name, "config"))
        # The same process, which did not even notice
        self.assertEqual(self.children(), [child])
        self.assertEqual([w["device"] for w in self.windows()], [None, None])
        self.assertIn("goes on", self.stop(server))
        self.assertEqual(sorted(os.listdir(self.dir.name)), ["config"])
        self.assertEqual(self.children(), [])

    def test_parent_killed_and_other_options(self):
        self.server.kill()
        self.server.wait()
        server = self.again("--uml", os.path.join(self.dir.name, "guest"))
        self.assertEqual(self.children(), [])
        self.assertEqual(self.windows(), [])
        self.assertIn("told to end", self.stop(server))
        self.assertEqual(sorted(os.listdir(self.dir.name)), ["config"])

    def test_guests_process_killed(self):
        for _ in range(3):
            [child] = self.children()
            os.kill(child, signal.SIGKILL)
            while child in self.children() or not self.children():
                pass
            while "starting" in self.ask("list")["carriers"][0]:
                pass
            self.assertEqual([w["device"] for w in self.windows()], ["i2c", None])
        self.server.terminate()
        self.assertEqual(self.server.wait(20), 0)
        self.assertIn("signal 9", self.server.stderr.read())

    def test_all_killed(self):
        self.end()
        server = self.again("--config", os.path.join(self.dir.name, "config"))
        self.assertEqual([w["device"] for w in self.windows()], ["i2c", None])
        self.stop(server)


if __name__ == "__main__":
    unittest.main()
