# SPDX-License-Identifier: GPL-2.0-only
"""Which kind of guest make demo is told to use."""

import unittest
from unittest import mock

from make import demo
from scripts import say


class Vmm(unittest.TestCase):
    def chosen(self, *args):
        """The module whose command is called, and with what."""
        with mock.patch("importlib.import_module") as imported:
            imported.return_value.main.return_value = 0
            self.assertEqual(demo.main(list(args)), 0)
        [call] = imported.return_value.main.mock_calls
        return imported.mock_calls[0].args[0], call.args[0]

    def test_user_mode_linux_unless_told(self):
        self.assertEqual(self.chosen("--base=lts", "--device=blk"),
                         ("testbed.demo", ["--base=lts", "--device=blk"]))

    def test_qemu(self):
        self.assertEqual(self.chosen("--vmm=qemu", "--device=blk"),
                         ("testbed.qemu.demo", ["--device=blk"]))

    def test_unknown_is_refused(self):
        with self.assertRaisesRegex(say.Error, "VMM=zen") as raised:
            demo.main(["--vmm=zen"])
        self.assertIn("uml, qemu", raised.exception.what_to_do)

    def test_a_kernel_of_ones_own_is_refused(self):
        for word in ("--base=lts", "--shell"):
            with self.assertRaisesRegex(say.Error, word.partition("=")[0]) as raised:
                demo.main(["--vmm=qemu", word])
            self.assertIn("leave VMM= out", raised.exception.what_to_do)
