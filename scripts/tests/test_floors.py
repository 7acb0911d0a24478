# SPDX-License-Identifier: GPL-2.0-only
"""The check of virtio-msgd's floors finds what is planted."""

import unittest

from scripts import floors


class Floors(unittest.TestCase):
    """What is right, and what is wrong."""

    def assert_found(self, files, *words):
        """One problem is found, and has WORDS in it."""
        [problem] = floors.problems(files)
        for word in words:
            self.assertIn(word, problem)

    def test_right(self):
        self.assertEqual(floors.problems({
            "base/log.c": '#include "base/log.h"\n#include "base/loop.h"\n',
            "model/slot.c": '#include <errno.h>\n#include "base/base.h"\n#include "guest.h"\n',
            "program/main.c": '#include "carriers/xen/xen.h"\n#include "model/model.h"\n',
        }), [])

    def test_upwards(self):
        self.assert_found({"model/slot.c": '#include "program/config.h"\n'}, "model/slot.c",
                          "program/config.h")

    def test_beside(self):
        self.assert_found({"vhost_user/memory.c": '#include "devices/devices.h"\n'}, "not below")

    def test_not_its_header(self):
        self.assert_found({"devices/blk.c": '#include "model/vring.h"\n'}, "model/model.h")

    def test_circle(self):
        self.assert_found({
            "model/slot.h": '#include "model/device.h"\n',
            "model/device.c": '#include "model/window.h"\n',
            "model/window.h": '#include "model/slot.h"\n',
        }, "model/device -> model/window -> model/slot -> model/device")

    def test_virtio_msgd(self):
        self.assertGreater(len(floors.tree()), 50)
        self.assertEqual(floors.problems(floors.tree()), [])


class Packages(unittest.TestCase):
    """The same of Python."""

    def test_right(self):
        self.assertEqual(floors.python_problems({
            "scripts.say": "import os\n",
            "testbed.bed": "from scripts import say\n",
            "testbed.xen.chain": "from testbed.bed import Bed\nfrom scripts import say\n",
            "testbed.e2e.test_rings": "from bench import run\n",
            "bench.run": "from testbed import bed\n",
        }), [])

    def test_upwards_wherever_it_is(self):
        [problem] = floors.python_problems({
            "scripts.test": "def f():\n    from testbed.xen import chain\n",
            "testbed.xen.chain": "",
        })
        self.assertEqual(problem, "scripts.test imports testbed.xen.chain, which is above it")

    def test_circle(self):
        [problem] = floors.python_problems({"scripts.a": "import scripts.b\n",
                                            "scripts.b": "from scripts import a\n"})
        self.assertEqual(problem, "a circle: scripts.a -> scripts.b -> scripts.a")

    def test_ours(self):
        self.assertGreater(len(floors.python_tree()), 80)
        self.assertEqual(floors.python_problems(floors.python_tree()), [])


if __name__ == "__main__":
    unittest.main()
