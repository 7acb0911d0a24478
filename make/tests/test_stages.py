# SPDX-License-Identifier: GPL-2.0-only
"""The order of stages, and what is done beside them."""

import contextlib
import io
import shutil
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from make import test
from scripts import say
from testbed.xen import test as xen


class Stages(unittest.TestCase):
    def setUp(self):
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        self.built = directory / "built"
        build = ["sh", "-c", f"touch {self.built}; false"]
        self.seen = []
        stages = [(title, self.stage, title) for title in ("unit", test.UML, xen.TITLE)]
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        for patch in (mock.patch.object(say, "LOGS", directory / "log"),
                      mock.patch.object(test, "STAGES", stages),
                      mock.patch.object(test, "BUILD_XEN", build)):
            stack.enter_context(patch)

    def stage(self, results, title):
        """Notes which stage runs, and whether the machine with Xen is built by then."""
        self.seen.append((title, self.built.exists()))
        results.ok(title)

    def run_stages(self, *words):
        """make test with WORDS; returns what the stages noted."""
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(test.main(words), 0)
        return self.seen

    def test_xen_is_built_beside_the_stage_before_it(self):
        self.assertEqual([title for title, _ in self.run_stages()], ["unit", test.UML, xen.TITLE])
        # A build that failed is the business of the stage that needs it
        self.assertTrue(self.seen[2][1])

    def test_nothing_is_built_that_is_not_needed(self):
        self.run_stages("UML")
        self.run_stages("Xen")
        self.assertEqual(self.seen, [(test.UML, False), (xen.TITLE, False)])
        self.assertFalse(self.built.exists())


if __name__ == "__main__":
    unittest.main()
