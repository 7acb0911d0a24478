# SPDX-License-Identifier: GPL-2.0-only
"""Output, errors and commands with a log."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from scripts import say


class Output(unittest.TestCase):
    """What the user sees."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        patch = mock.patch.object(say, "LOGS", Path(directory.name) / "log")
        patch.start()
        self.addCleanup(patch.stop)
        self.out, self.err = io.StringIO(), io.StringIO()

    def call(self, function, *args, **options):
        """Call function with its output caught."""
        with contextlib.redirect_stdout(self.out), contextlib.redirect_stderr(self.err):
            return function(*args, **options)

    def test_error_becomes_status_1_and_two_lines(self):
        def broken():
            raise say.Error("no bread", "buy some")
        self.assertEqual(self.call(say.main, broken), 1)
        self.assertEqual(self.err.getvalue(), "error: no bread\n       buy some\n")

    def test_status_of_the_function_is_kept(self):
        self.assertEqual(self.call(say.main, lambda: 3), 3)
        self.assertEqual(self.call(say.main, lambda: None), 0)

    def test_output_of_a_command_is_in_its_log_only(self):
        lines = []
        self.call(say.run, ["printf", "one\ntwo\n"], "numbers", on_line=lines.append)
        self.assertEqual(lines, ["one", "two"])
        self.assertEqual(self.out.getvalue() + self.err.getvalue(), "")
        self.assertEqual(say.log_file("numbers").read_text(), "$ printf one\ntwo\n\none\ntwo\n")

    def test_failed_command_shows_its_last_lines_and_its_log(self):
        command = ["sh", "-c", "seq 100; exit 7"]
        with self.assertRaises(say.Error) as caught:
            self.call(say.run, command, "count", "counting")
        self.assertIn("counting failed (exit status 7)", str(caught.exception))
        self.assertIn(str(say.log_file("count")), str(caught.exception))
        # Who catches it decides whether anybody has to see it
        self.assertEqual(self.err.getvalue(), "")
        shown = str(caught.exception).split()
        self.assertEqual(shown[-1], "100")
        self.assertEqual(shown.count("|"), say.LAST_LINES)

    def test_unchecked_command_returns_its_status(self):
        self.assertEqual(self.call(say.run, ["false"], "false", check=False), 1)

    def test_program_that_does_not_exist(self):
        with self.assertRaisesRegex(say.Error, "cannot start no-such-program"):
            self.call(say.run, ["no-such-program"], "none")

    def test_progress_is_said_at_intervals(self):
        with mock.patch("time.monotonic", side_effect=[0, 1, say.SECONDS_BETWEEN_LINES, 11]):
            progress = say.Progress("baking", 40)
            for count in (1, 2, 3):
                self.call(progress.at, count, "loaves")
        self.assertEqual(self.out.getvalue(), "  baking: 2 of 40 loaves, 10 s\n")


if __name__ == "__main__":
    unittest.main()
