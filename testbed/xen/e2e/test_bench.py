# SPDX-License-Identifier: GPL-2.0-only
"""make bench-xen: what the transports cost under Xen, in traps, and that times are taken."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

from bench import run
from bench.xen import Xen
from testbed.e2e.bench_case import TrapTests, check_figures
from testbed.xen import e2e


class Bench(TrapTests, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.machine = Xen(e2e.machine())
        cls.machine.__enter__()
        cls.addClassCleanup(cls.machine.__exit__)

    def test_one_round(self):
        with tempfile.TemporaryDirectory() as directory:
            options = run.parse(run.arguments("bench-xen", 1), [f"--out={directory}"])
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                run.run(self.machine, "bench-xen", "a test", options)
            for words in ("probe rng", "round trip", "config reads per second", "1 rounds"):
                self.assertIn(words, output.getvalue())
            check_figures(self, json.loads((Path(directory) / "bench-xen.json").read_text()))
            self.assertEqual((Path(directory) / "bench-xen.png").read_bytes()[:8],
                             b"\x89PNG\r\n\x1a\n")
