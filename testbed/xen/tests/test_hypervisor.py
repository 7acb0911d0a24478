# SPDX-License-Identifier: GPL-2.0-only
"""Unit tests: the older hypervisor's source, changed for the newer tools."""

import tempfile
import unittest
from pathlib import Path

from scripts import say
from testbed.xen import hypervisor


class NewerTools(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.source = Path(directory.name)
        for name, changes in hypervisor.NEWER_TOOLS.items():
            path = self.source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(("first", *changes, "last")))

    def test_each_text_is_replaced(self):
        hypervisor.understand_newer_tools(self.source)
        header = (self.source / "include/public/domctl.h").read_text()
        self.assertIn("INTERFACE_VERSION 0x00000017", header)
        self.assertNotIn("0x00000015", header)
        self.assertIn("    uint32_t grant_opts;\n    uint32_t altp2m_opts;\n", header)

    def test_source_that_is_another_is_an_error(self):
        (self.source / "arch/arm/arm64/domctl.c").write_text("return 0;")
        with self.assertRaisesRegex(say.Error, "not as expected"):
            hypervisor.understand_newer_tools(self.source)


if __name__ == "__main__":
    unittest.main()
