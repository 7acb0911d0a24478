# SPDX-License-Identifier: GPL-2.0-only
import unittest

from bench import blocktrace
from scripts import say

ISSUE = "load-98 [000] ...2.  0.{}: block_rq_issue: 254,32 RS 512 () {} + 1 be,0,4 [load]\n"
COMPLETE = "load-98 [000] d.h7.  {}: block_rq_complete: 254,32 RS () {} + 1 be,0,4 [0]\n"


class Parse(unittest.TestCase):
    def test_requests_one_after_the_other(self):
        text = ("# tracer: nop\n" + ISSUE.format("967701", 0) + COMPLETE.format("0.967835", 0)
                + ISSUE.format("999990", 1) + COMPLETE.format("1.000010", 1))
        self.assertEqual(blocktrace.parse(text), [134, 20])

    def test_what_does_not_fit_is_an_error(self):
        for text in ("", ISSUE.format("000001", 0), COMPLETE.format("0.000001", 0),
                     ISSUE.format("000001", 0) + COMPLETE.format("0.000002", 1)):
            with self.assertRaises(say.Error):
                blocktrace.parse(text)
