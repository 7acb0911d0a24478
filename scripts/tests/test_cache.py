# SPDX-License-Identifier: GPL-2.0-only
"""The cache's place and its locks."""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from scripts import cache, say


class Cache(unittest.TestCase):
    """A cache in a directory of the test's own."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name).resolve() / "cache"
        patch = mock.patch.dict(os.environ, {"VIRTIO_MSG_CACHE": str(self.path)})
        patch.start()
        self.addCleanup(patch.stop)

    def test_place(self):
        self.assertEqual(cache.directory("a", "b"), self.path / "a" / "b")
        self.assertTrue((self.path / "a" / "b").is_dir())

    def test_default_place(self):
        with mock.patch.dict(os.environ, {"HOME": str(self.path)}):
            del os.environ["VIRTIO_MSG_CACHE"]
            self.assertEqual(cache.root(), self.path / ".cache" / "virtio-msg")

    def try_lock(self, shared):
        """Whether another process gets the lock `x` without waiting."""
        kind = "LOCK_SH" if shared else "LOCK_EX"
        program = (f"import fcntl; fcntl.flock(open({str(self.path / 'lock/x')!r}, 'a'), "
                   f"fcntl.{kind} | fcntl.LOCK_NB)")
        return subprocess.run([sys.executable, "-c", program], stderr=subprocess.DEVNULL,
                              check=False).returncode == 0

    def test_lock_excludes_other_processes(self):
        with cache.lock("x"):
            self.assertFalse(self.try_lock(shared=True))
        self.assertTrue(self.try_lock(shared=False))

    def test_shared_lock_excludes_only_writers(self):
        with cache.lock("x", shared=True):
            self.assertTrue(self.try_lock(shared=True))
            self.assertFalse(self.try_lock(shared=False))

    def test_waiting_is_said(self):
        cache.directory("lock")
        holder = subprocess.Popen(
            [sys.executable, "-c", "import fcntl, sys\n"
             f"file = open({str(self.path / 'lock/x')!r}, 'a')\n"
             "fcntl.flock(file, fcntl.LOCK_EX)\nprint('held', flush=True)\nsys.stdin.read()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with holder:
            holder.stdout.readline()
            said = io.StringIO()

            def note(text):
                said.write(text)
                holder.stdin.close()
            with mock.patch.object(say, "note", note), contextlib.ExitStack() as stack:
                stack.enter_context(cache.lock("x"))
        self.assertIn("waiting for another process that uses x", said.getvalue())


if __name__ == "__main__":
    unittest.main()
