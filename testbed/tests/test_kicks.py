# SPDX-License-Identifier: GPL-2.0-only
"""What a trace says of kicks."""

import unittest

from testbed import kicks

HEAD = "# tracer: nop\n#\n# entries-in-buffer/entries-written: {}/3   #P:2\n"
LINE = ("            load-77      [001] d..2.     3.141593: virtio_msg_notify: "
        "bus=virtio-msg-mmio.0 dev=0 vq=2 data=0x2\n")


class Parse(unittest.TestCase):
    def test_kicks(self):
        self.assertEqual(kicks.parse(HEAD.format(3) + 3 * LINE), 3 * [(1, 2)])

    def test_entries_that_are_lost_or_not_understood_are_an_error(self):
        for text in (HEAD.format(2) + 2 * LINE, HEAD.format(3) + 2 * LINE):
            with self.assertRaisesRegex(ValueError, "2 kicks"):
                kicks.parse(text)


if __name__ == "__main__":
    unittest.main()
