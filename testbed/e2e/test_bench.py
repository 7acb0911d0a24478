# SPDX-License-Identifier: GPL-2.0-only
"""make bench as its user sees it: tables, figures, plot."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from bench import peers
from scripts import say
from testbed import backends
from testbed.e2e.bench_case import check_figures


def bench(*arguments):
    """The finished process of `make bench` with ARGUMENTS."""
    return subprocess.run([sys.executable, "-m", "scripts", "bench", *map(str, arguments)],
                          cwd=say.REPO, capture_output=True, text=True, check=False)


class Bench(unittest.TestCase):
    def test_two_rounds(self):
        with tempfile.TemporaryDirectory() as directory:
            out = Path(directory)
            done = bench("--rounds=2", "--verbose", "--no-backend", f"--out={out}")
            self.assertEqual(done.returncode, 0, done.stderr)
            for words in ("probe rng", "round trip", "config reads per second", "2 rounds",
                          "Where the traps go", "SET_DEVICE_STATUS 5"):
                self.assertIn(words, done.stdout)
            check_figures(self, json.loads((out / "bench.json").read_text()))
            self.assertEqual((out / "bench.png").read_bytes()[:8], b"\x89PNG\r\n\x1a\n")

    def test_with_a_backend(self):
        with tempfile.TemporaryDirectory() as directory:
            out = Path(directory)
            backends.needed(peers.BACKEND, backends.blk, out)
            done = bench("--rounds=1", f"--out={out}")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f"A disk by {peers.BACKEND}", done.stdout)
            figures = json.loads((out / "bench-backends.json").read_text())
            self.assertEqual(list(figures["transports"]), peers.NAMES)
            for found in figures["transports"].values():
                self.assertGreater(found["rps"]["qd1"], 0)

    def test_wrong_options(self):
        done = bench("--rounds=0")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "error: --rounds: at least 1 is needed\n")
