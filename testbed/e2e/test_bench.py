# SPDX-License-Identifier: GPL-2.0-only
"""make bench as its user sees it: tables, figures, plot."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from bench import peers
from bench.devices import DEVICES
from scripts import say
from testbed.e2e.bench_case import check_figures


def bench(*arguments):
    """The finished process of `make bench` with ARGUMENTS."""
    return subprocess.run([sys.executable, "-m", "make", "bench", *map(str, arguments)],
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

    def test_with_backends(self):
        """Each device on each transport and by virtio_uml, with its figures."""
        with tempfile.TemporaryDirectory() as directory:
            out = Path(directory)
            done = bench("--rounds=1", f"--backend={','.join(DEVICES)}", f"--out={out}")
            self.assertEqual(done.returncode, 0, done.stderr)
            figures = json.loads((out / "bench-backends.json").read_text())
            self.assertEqual(list(figures), ["backend", "transports", "fs", "net", "vsock"])
            for name, device in DEVICES.items():
                self.assertIn(f"{device.title} by {device.backend}", done.stdout)
                part = figures if name == "blk" else figures[name]
                self.assertEqual(list(part["transports"]), peers.NAMES)
                for found in part["transports"].values():
                    self.assertGreater(found["latency_us"]["median"], 0)

    def test_wrong_options(self):
        done = bench("--rounds=0")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "error: --rounds: at least 1 is needed\n")
