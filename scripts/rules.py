# SPDX-License-Identifier: GPL-2.0-only
"""The tables of the protocol's rules: each rule has tests, which exist, and which ran.

A KUnit test is named by its suite and its case, a test of virtio-msgd by the word
virtio-msgd, the program and the test in it.
"""

import re

from scripts import say

TABLES = (say.REPO / "Documentation" / "driver-api" / "virtio" / "virtio_msg_rules.rst",
          say.REPO / "virtio-msgd" / "RULES.md")
RULES = [*(f"B{number}" for number in range(1, 9)), *(f"D{number}" for number in range(1, 18)),
         *(f"V{number}" for number in range(1, 9))]
ROW = re.compile(r"(?:^   \* - |^\| )([BDV]\d+)\b(.*?)(?=^   \* - |^\| |\Z)", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"\bvirtio-msg[a-z-]*\.[a-z0-9_.]+")
CASES = re.compile(r"struct kunit_case (\w+)\[\] = \{(.*?)^\};", re.MULTILINE | re.DOTALL)
CASE = re.compile(r"KUNIT_CASE\w*\((\w+)")
SUITE = re.compile(r"struct kunit_suite \w+ = \{(.*?)^\};", re.MULTILINE | re.DOTALL)
CMOCKA = re.compile(r"(?:cmocka_unit_test\w*|\b[A-Z_]+)\((\w+)")


def rows(text):
    """{rule: its tests} of a table."""
    return {rule: TEST.findall(rest) for rule, rest in ROW.findall(text)}


def kunit_tests(text):
    """The tests of a file with KUnit suites."""
    cases = {name: CASE.findall(body) for name, body in CASES.findall(text)}
    found = set()
    for body in SUITE.findall(text):
        suite = re.search(r'\.name = "([^"]+)"', body)
        which = re.search(r"\.test_cases = (\w+)", body)
        if suite and which:
            found |= {f"{suite[1]}.{case}" for case in cases.get(which[1], ())}
    return found


def existing():
    """All tests that a table may name."""
    found = set()
    for path in (say.REPO / "drivers" / "virtio").glob("*.c"):
        found |= kunit_tests(path.read_text())
    for path in (say.REPO / "virtio-msgd" / "tests").glob("test_*.c"):
        program = path.stem.removeprefix("test_")
        found |= {f"virtio-msgd.{program}.{name}" for name in CMOCKA.findall(path.read_text())}
    return found


def problems(tables, there, ran):
    """What is wrong with the tables, {rule: tests}; RAN: tests that passed, if any are known."""
    found = [f"{rule}: it is in no table" for rule in RULES if rule not in tables]
    for rule, tests in tables.items():
        if not tests:
            found.append(f"{rule}: no test is named")
        found += [f"{rule}: there is no test {test}" for test in tests if test not in there]
        # Only those of a kind of which any ran: `make check` runs none
        kinds = {test.startswith("virtio-msgd.") for test in ran}
        found += [f"{rule}: {test} did not run, or failed" for test in tests
                  if test in there and test.startswith("virtio-msgd.") in kinds
                  and test not in ran]
    return found


def check(results):
    """The test of the tables."""
    tables = {}
    for path in TABLES:
        tables |= rows(path.read_text())
    results.check("every rule has its tests", problems(tables, existing(), results.names))
