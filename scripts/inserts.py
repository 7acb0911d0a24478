# SPDX-License-Identifier: GPL-2.0-only
"""What a patch inserts into files that the kernel has: options, Makefile lines, maintainers.

A patch's file `insert` has blocks of

  PATH before LINE
  <tab>a line to insert there
  <tab>@config NAME        the option of that name, as it is in the Kconfig of this tree
  <tab>@maintainers        the entry in the MAINTAINERS of this tree

LINE is all of a line that the file has once. An entry of maintainers goes where the alphabet
wants it, and LINE is "alphabet".
"""

import re
from dataclasses import dataclass
from pathlib import Path

from scripts import say

HEAD = re.compile(r"(\S+) before (.+)")
ALPHABET = "alphabet"


@dataclass(frozen=True)
class Insert:
    """LINES for the file at PATH, before its line ANCHOR."""

    path: str
    anchor: str
    lines: tuple

    def into(self, text):
        """TEXT with the lines in it; None if there is no place for them."""
        there = text.splitlines()
        if self.anchor == ALPHABET:
            at = [number for number, line in headings(there) if line > self.lines[0]][:1]
        else:
            at = [number for number, line in enumerate(there) if line == self.anchor]
        if len(at) != 1:
            return None
        return "\n".join([*there[:at[0]], *self.lines, *there[at[0]:], ""])


def headings(lines):
    """(number, line) of those that begin an entry of MAINTAINERS."""
    return [(number, line) for number, line in enumerate(lines[:-1])
            if re.match(r"[A-Z0-9](?!:\t)", line) and re.match(r"[A-Z]:\t", lines[number + 1])]


def option(name, text):
    """The lines of an option in the TEXT of a Kconfig file."""
    found = re.search(rf"^config {re.escape(name)}\n(?:(?:\t.*)?\n)*", text, re.MULTILINE)
    if not found:
        raise say.Error(f"the Kconfig at the top of this tree has no option {name}",
                        "see series/*/insert")
    return [*found[0].rstrip("\n").split("\n"), ""]


def expand(line):
    """What a line of a block stands for."""
    if line.startswith("@config "):
        return option(line.removeprefix("@config "), (say.REPO / "Kconfig").read_text())
    if line == "@maintainers":
        return [*(say.REPO / "MAINTAINERS").read_text().splitlines(), ""]
    return [line]


def parse(text, path):
    """The inserts that TEXT, of the file at PATH, describes."""
    blocks = []
    for line in text.splitlines():
        if line.startswith("\t") and blocks:
            blocks[-1][2].extend(expand(line[1:]))
        elif head := HEAD.fullmatch(line):
            blocks.append((*head.groups(), []))
        elif line:
            raise say.Error(f"{Path(path)}: not an insert: {line}", "see scripts/inserts.py")
    return [Insert(path, anchor, tuple(lines)) for path, anchor, lines in blocks]
