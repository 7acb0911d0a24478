# SPDX-License-Identifier: GPL-2.0-only
"""Programs of a newer Debian than this machine's: unpacked, and run by their own loader.

A package and what it depends on are unpacked below one directory in the cache;
no maintainer script is run and nothing of the machine is touched. The program is
started by the C library's loader that was unpacked with it.
"""

import re
import shutil

from scripts import cache, debian, say

DEPENDS = re.compile(r"^\s+(?:Pre)?Depends: ([a-z0-9][a-z0-9+.-]*)$", re.MULTILINE)


def parse_depends(text):
    """The packages that `apt-cache depends` says are needed, virtual ones left out."""
    return DEPENDS.findall(text)


class Foreign:
    """PACKAGE of Debian SUITE with its dependencies, but for those in WITHOUT."""

    def __init__(self, package, suite, without=()):
        self.package, self.suite, self.without = package, suite, set(without)
        self.root = cache.root() / "foreign" / f"{package}-{suite}"

    def unpack(self):
        """Fetch and unpack unless that was done; returns the directory."""
        with cache.lock(f"foreign-{self.package}-{self.suite}"):
            if self.root.is_dir():
                return self.root
            unfinished = self.root.with_name(f"{self.root.name}.new")
            shutil.rmtree(unfinished, ignore_errors=True)
            for deb in debian.fetch_all(self.packages(), self.suite):
                debian.unpack(deb, unfinished)
            unfinished.rename(self.root)
        return self.root

    def packages(self):
        """The package and all it depends on, by name."""
        found, new = set(), {self.package}
        while new:
            found |= new
            text = debian.ask(self.suite, None, "depends", *sorted(new))
            new = set(parse_depends(text)) - found - self.without
        return sorted(found)

    def command(self, program, *arguments):
        """The command that runs PROGRAM (its path in the package) with ARGUMENTS."""
        root = self.unpack()
        loaders = sorted(root.glob("usr/lib/*-linux-gnu*/ld-linux*.so.*"))
        path = root / program.lstrip("/")
        if not loaders or not path.exists():
            raise say.Error(f"{self.package} of Debian {self.suite} has no {program}, or its "
                            "C library no loader", f"delete {root} and try again")
        return [str(loaders[0]), "--library-path", str(loaders[0].parent), str(path),
                *(str(word) for word in arguments)]
