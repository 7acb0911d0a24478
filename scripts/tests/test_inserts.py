# SPDX-License-Identifier: GPL-2.0-only
"""Lines that a patch puts into files of the kernel."""

import unittest

from scripts import inserts, say

KCONFIG = "config A\n\tbool\n\nconfig B\n\tbool\n\n\thelp\n\t  B.\n\nendif\n"
MAINTAINERS = ("How to read this\nM: is who\n\nABC DRIVER\nM:\tabc\nS:\tabc\n\nXYZ DRIVER\nM:\txyz\n")


class Inserts(unittest.TestCase):
    def test_before_a_line(self):
        [insert] = inserts.parse("drivers/Makefile before obj-y += b.o\n\tobj-y += a.o\n", "insert")
        self.assertEqual(insert.path, "drivers/Makefile")
        self.assertEqual(insert.into("# c\nobj-y += b.o\n"), "# c\nobj-y += a.o\nobj-y += b.o\n")

    def test_one_after_the_other(self):
        first, second = inserts.parse("K before x\n\ta\n\tb\nK before x\n\tc\n", "insert")
        self.assertEqual(second.into(first.into("x\n")), "a\nb\nc\nx\n")

    def test_no_place_or_two(self):
        [insert] = inserts.parse("K before x\n\ta\n", "insert")
        self.assertIsNone(insert.into("y\n"))
        self.assertIsNone(insert.into("x\nx\n"))

    def test_nonsense(self):
        for text in ("\ta line without a head\n", "K after x\n"):
            with self.assertRaises(say.Error):
                inserts.parse(text, "insert")

    def test_option(self):
        self.assertEqual(inserts.option("A", KCONFIG), ["config A", "\tbool", ""])
        self.assertEqual(inserts.option("B", KCONFIG),
                         ["config B", "\tbool", "", "\thelp", "\t  B.", ""])
        with self.assertRaises(say.Error):
            inserts.option("C", KCONFIG)

    def test_maintainers_by_the_alphabet(self):
        insert = inserts.Insert("MAINTAINERS", "alphabet", ("NEW DRIVER", "M:\tnew", ""))
        self.assertEqual(insert.into(MAINTAINERS).index("NEW DRIVER"),
                         MAINTAINERS.index("XYZ DRIVER"))

    def test_what_the_series_inserts(self):
        text = "K before x\n\t@config VIRTIO_MSG\nMAINTAINERS before alphabet\n\t@maintainers\n"
        option, entry = inserts.parse(text, "insert")
        self.assertEqual((option.lines[0], option.lines[-1]), ("config VIRTIO_MSG", ""))
        self.assertEqual(entry.lines[0], "VIRTIO MSG TRANSPORT")


if __name__ == "__main__":
    unittest.main()
