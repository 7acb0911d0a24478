# SPDX-License-Identifier: GPL-2.0-only
"""Running a guest, with a stand-in for the kernel."""

import os
import shutil
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

from testbed import commanded, guest

KERNEL = Path(__file__).with_name("fake_kernel.py")


class Runner(unittest.TestCase):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)

    def guest(self, *params):
        made = guest.Guest(KERNEL, "image", self.directory, params)
        self.addCleanup(made.kill)
        return made

    def assert_all_gone(self, made):
        """No process of the guest is left, as soon as init has buried those it inherits."""
        end = time.monotonic() + 10
        with self.assertRaises(ProcessLookupError):
            while time.monotonic() < end:
                os.killpg(made.process.pid, 0)
                time.sleep(0.01)

    def test_runs_scripts_and_returns_status_and_output(self):
        made = self.guest().start()
        result = made.run("echo one; echo two >&2; exit 3")
        self.assertEqual((result.status, result.output), (3, "one\ntwo\n"))
        self.assertEqual(made.check("echo $((6 * 7))"), "42\n")

    def test_check_fails_with_the_output_and_the_console(self):
        made = self.guest().start()
        with self.assertRaisesRegex(commanded.Failed, "(?s)exit status 2: .*no such.*Booting"):
            made.check("echo no such thing; exit 2")

    def test_parameters_reach_the_kernel(self):
        made = self.guest("answer=42").start()
        self.assertIn("answer", made.console())
        self.assertIn("initrd", made.console())

    def test_several_cpus(self):
        made = guest.Guest(KERNEL, "image", self.directory, cpus=2)
        self.assertTrue({"ncpus=2", "seccomp=on"} <= set(made.command_line()))
        self.assertFalse(any("ncpus" in word for word in self.guest().command_line()))

    def test_begin_and_finish(self):
        made = self.guest().start()
        made.begin("echo done")
        self.assertEqual(made.finish().output, "done\n")

    def test_wait_for_repeats(self):
        made = self.guest().start()
        counter = self.directory / "counter"
        made.wait_for(f"echo x >> {counter}; test $(wc -l < {counter}) -ge 3")
        self.assertEqual(counter.read_text(), "x\n" * 3)
        with self.assertRaisesRegex(commanded.Failed, "did not get there"):
            made.wait_for("false", timeout=0.1)

    def test_a_guest_that_never_is_ready(self):
        made = self.guest("fake=mute")
        with mock.patch.object(guest, "BOOT_SECONDS", 0.3):
            with self.assertRaisesRegex(commanded.Failed, "did not start"):
                made.start()
        self.assert_all_gone(made)

    def test_a_guest_that_ends_while_it_boots(self):
        made = self.guest("fake=exit")
        with self.assertRaisesRegex(commanded.Failed, "(?s)ended before.*Kernel panic"):
            made.start()
        self.assert_all_gone(made)

    def test_a_command_that_hangs(self):
        made = self.guest("fake=hang").start()
        with self.assertRaisesRegex(commanded.Failed, "did not finish"):
            made.run("true", timeout=0.2)

    def test_halt_and_reboot(self):
        made = self.guest().start()
        made.reboot()
        self.assertEqual(made.check("echo still"), "still\n")
        self.assertEqual(made.halt(), 0)
        self.assert_all_gone(made)

    def test_kill_takes_children_along(self):
        made = self.guest().start()
        made.begin("sleep 100")
        made.kill()
        self.assert_all_gone(made)

    def test_splats_are_found(self):
        self.assertEqual(self.guest().start().splats(), [])
        made = self.guest("fake=splat").start()
        self.assertEqual(len(made.splats()), 1)

    def test_shell_needs_a_terminal(self):
        with mock.patch("sys.stdin") as stdin:
            stdin.isatty.return_value = False
            with self.assertRaisesRegex(guest.say.Error, "terminal"):
                self.guest().shell()


if __name__ == "__main__":
    unittest.main()
