# SPDX-License-Identifier: GPL-2.0-only
"""What the transports cost, in traps: exact, the same each time, and within the goals."""

import unittest

from bench.uml import Uml
from testbed.e2e.bench_case import TrapTests


class Traps(TrapTests, unittest.TestCase):
    base = "mainline"

    @classmethod
    def setUpClass(cls):
        cls.machine = Uml(f"e2e/traps-{cls.base}", cls.base)
        cls.machine.__enter__()
        cls.addClassCleanup(cls.machine.__exit__)


class TrapsLts(Traps):
    base = "lts"
