# SPDX-License-Identifier: GPL-2.0-only
"""What is wrong with a table of rules is found."""

import unittest

from scripts import rules

RST = """   * - B1
     - words of it
     - ``virtio-msg.one``,
       ``virtio-msg-bus.two``
   * - B2
     - others
     -
"""
MARKDOWN = "| V1 | words | `virtio-msgd.message.three` |\n| V2 | more | `virtio-msgd.page.four` |\n"
SUITES = """static struct kunit_case some_cases[] = {
	KUNIT_CASE(one),
	KUNIT_CASE_PARAM(many, gen_params),
	{ }
};

static struct kunit_suite some_suite = {
	.name = "virtio-msg",
	.test_cases = some_cases,
};
"""


class Rules(unittest.TestCase):
    def test_rows(self):
        self.assertEqual(rules.rows(RST), {"B1": ["virtio-msg.one", "virtio-msg-bus.two"],
                                           "B2": []})
        self.assertEqual(rules.rows(MARKDOWN), {"V1": ["virtio-msgd.message.three"],
                                                "V2": ["virtio-msgd.page.four"]})

    def test_suites(self):
        self.assertEqual(rules.kunit_tests(SUITES), {"virtio-msg.one", "virtio-msg.many"})

    def test_what_is_missing(self):
        every = {rule: ["virtio-msg.one"] for rule in rules.RULES}
        self.assertEqual(rules.problems(every, {"virtio-msg.one"}, set()), [])
        del every["D9"]
        every["B2"] = []
        every["V1"] = ["virtio-msgd.message.three"]
        self.assertEqual(rules.problems(every, {"virtio-msg.one"}, set()),
                         ["D9: it is in no table", "B2: no test is named",
                          "V1: there is no test virtio-msgd.message.three"])

    def test_what_did_not_run(self):
        every = {rule: ["virtio-msg.one"] for rule in rules.RULES}
        every["V1"] = ["virtio-msgd.message.three"]
        there = {"virtio-msg.one", "virtio-msgd.message.three"}
        self.assertEqual(rules.problems(every, there, {"virtio-msg.one"}), [])
        self.assertEqual(rules.problems(every, there, {"virtio-msg.one", "virtio-msgd.a.b"}),
                         ["V1: virtio-msgd.message.three did not run, or failed"])

    def test_ours(self):
        there = rules.existing()
        self.assertIn("virtio-msg.bad_response", there)
        self.assertIn("virtio-msgd.message.device_info", there)
        tables = {}
        for path in rules.TABLES:
            tables |= rules.rows(path.read_text())
        self.assertEqual(rules.problems(tables, there, set()), [])


if __name__ == "__main__":
    unittest.main()
