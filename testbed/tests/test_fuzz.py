# SPDX-License-Identifier: GPL-2.0-only
"""What is read from a fuzzer's output, and what is made of it."""

import contextlib
import io
import os
import shutil
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from scripts import cache, say
from scripts.results import Results
from testbed import fuzz

GOOD = """INFO: Seed: 1
#2	INITED cov: 298 ft: 299 corp: 1/1b exec/s: 0 rss: 32Mb
#4	NEW    cov: 314 ft: 340 corp: 2/4b lim: 4 exec/s: 0 rss: 32Mb L: 3/3 MS: 1 CMP- DE: "a"-
#904123	DONE   cov: 715 ft: 4680 corp: 1485/349Kb lim: 3808 exec/s: 4498 rss: 443Mb
Done 904123 runs in 201 second(s)
"""
BAD = """#9	NEW    cov: 331 ft: 377 corp: 5/14b lim: 4 exec/s: 0 rss: 33Mb L: 4/4 MS: 1 ChangeByte-
==7==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x1
    #0 0x55 in serve /build/../virtio-msgd/devices/builtin.c:30:2
    #1 0x56 in fuzz_one /build/../virtio-msgd/fuzz/ring.c:1:2
SUMMARY: AddressSanitizer: heap-buffer-overflow builtin.c:30:2 in serve
artifact_prefix='out/'; Test unit written to {path}
"""
# A harness that says what is in a file beside it
FAKE = """#!/bin/sh
echo "$@" >>"$0.args"
cat "$0.says"
exit $(cat "$0.status")
"""


class Fuzz(unittest.TestCase):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.out = io.StringIO()
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.corpus = self.directory / "corpus"
        for patch in (mock.patch.object(say, "LOGS", self.directory / "log"),
                      mock.patch.object(say, "REPO", self.directory),
                      mock.patch.object(fuzz, "CORPUS", self.corpus),
                      mock.patch.object(fuzz, "build", lambda: self.directory),
                      mock.patch.object(cache, "root", lambda: self.directory / "cache"),
                      contextlib.redirect_stdout(self.out)):
            stack.enter_context(patch)

    def harness(self, name, says, status=0):
        """Make a harness."""
        program = self.directory / f"fuzz_{name}"
        program.write_text(FAKE)
        program.chmod(0o755)
        program.with_suffix(".says").write_text(says)
        program.with_suffix(".status").write_text(str(status))
        return program

    def test_numbers(self):
        log = self.directory / "log.txt"
        log.write_text(GOOD)
        outcome = fuzz.Outcome(log, 0)
        self.assertFalse(outcome.found)
        self.assertEqual(outcome.text(), "904123 runs, coverage 715 edges (4680 features), "
                                         "corpus 1485 inputs")

    def test_good_run(self):
        program = self.harness("ring", GOOD)
        self.assertEqual(fuzz.main(["--seconds", "7", "ring"]), 0)
        args = program.with_suffix(".args").read_text()
        self.assertIn("-max_total_time=7 ", args)
        self.assertTrue(args.rstrip().endswith("cache/fuzz/ring"), args)
        self.assertIn("904123 runs, coverage 715 edges", self.out.getvalue())
        self.assertTrue(self.out.getvalue().endswith("\n1 passed, 0 failed\n"))

    def test_corpus_of_the_repository_is_tried(self):
        program = self.harness("ring", GOOD)
        (self.corpus / "ring").mkdir(parents=True)
        fuzz.main(["ring"])
        self.assertIn(str(self.corpus / "ring"), program.with_suffix(".args").read_text())

    def test_finding_is_a_failure_with_its_reproducer(self):
        path = self.directory / "out" / "crash-1"
        program = self.harness("ring", BAD.format(path=path), 77)
        self.assertEqual(fuzz.main(["ring"]), 1)
        said = self.out.getvalue()
        self.assertIn(f"again: {program} {path}", said)
        self.assertIn("heap-buffer-overflow", said)
        self.assertIn("serve virtio-msgd/devices/builtin.c:30\n", said)
        self.assertIn("9 runs", said)

    def test_harness_that_fails_without_a_word_is_a_failure(self):
        self.harness("ring", "", 1)
        self.assertEqual(fuzz.main(["ring"]), 1)
        self.assertIn("exit status 1", self.out.getvalue())

    def test_stage_counts_each_harness(self):
        for name in fuzz.HARNESSES:
            self.harness(name, GOOD)
        results = Results()
        fuzz.test(results)
        self.assertEqual((results.passed, results.failed), (len(fuzz.HARNESSES), 0))

    def test_save_keeps_what_has_a_name(self):
        program = self.harness("ring", "")
        kept, old, new = self.corpus / "ring" / "loop-for-ever", "a" * 40, "b" * 40
        kept.parent.mkdir(parents=True)
        kept.write_text("found")
        (kept.parent / old).write_text("old")
        program.write_text(f"#!/bin/sh\nfor d; do [ -d $d ] && break; done\n"
                           f"echo new >$d/{new}\nprintf found >$d/{'c' * 40}\n")
        fuzz.save(["ring"], self.directory)
        self.assertEqual(sorted(os.listdir(kept.parent)), [new, "loop-for-ever"])

    def test_every_harness_is_built(self):
        source = Path(fuzz.__file__).parents[1] / "virtio-msgd" / "fuzz" / "meson.build"
        for name in fuzz.HARNESSES:
            self.assertIn(f"'{name}': files('{name}.c'", source.read_text())


if __name__ == "__main__":
    unittest.main()
