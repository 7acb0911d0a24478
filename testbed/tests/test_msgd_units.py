# SPDX-License-Identifier: GPL-2.0-only
"""What meson says of virtio-msgd's own tests, counted."""

import contextlib
import io
import unittest

from scripts.results import Results
from testbed import msgd_units


class Count(unittest.TestCase):
    def test_each_result(self):
        results = Results()
        with contextlib.redirect_stdout(io.StringIO()):
            msgd_units.count(results, [{"name": "codec", "result": "OK"},
                                       {"name": "model", "result": "FAIL", "stdout": "why"},
                                       {"name": "slow", "result": "TIMEOUT"}])
        self.assertEqual((results.passed, results.failed), (1, 2))


if __name__ == "__main__":
    unittest.main()
