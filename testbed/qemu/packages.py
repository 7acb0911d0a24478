# SPDX-License-Identifier: GPL-2.0-only
"""QEMU of Debian's backports: unpacked, and run with the libraries that it was built for."""

import re
import shutil

from scripts import debian
from testbed.foreign import Foreign, parse_depends

STABLE, BACKPORTS = "trixie", "trixie-backports"
# Sources whose packages are taken from backports; all others are from the release
SOURCES = ("qemu", "seabios", "ipxe")
# What a suite does not have itself is in <>
ELSEWHERE = re.compile(r"^\s+(?:Pre)?Depends: <([a-z0-9][a-z0-9+.-]*)>$", re.MULTILINE)
# For displays, audio, and for maintainer scripts
WITHOUT = ("qemu-system-gui", "qemu-system-modules-spice", "qemu-system-modules-opengl",
           "qemu-block-extra", "qemu-utils", "adduser", "init-system-helpers", "passt", "systemd",
           "udev", "dbus", "debconf", "libc-bin", "sensible-utils", "ibverbs-providers",
           "libglib2.0-data")


class Qemu(Foreign):
    """qemu-system-x86_64."""

    program = "/usr/bin/qemu-system-x86_64"

    def __init__(self):
        super().__init__("qemu-system-x86", BACKPORTS, WITHOUT)

    def unpack(self):
        if self.root.is_dir():
            return self.root
        unfinished = self.root.with_name(f"{self.root.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        for suite, names in self.by_suite().items():
            for deb in debian.fetch_all(names, suite):
                debian.unpack(deb, unfinished)
        unfinished.rename(self.root)
        return self.root

    def by_suite(self):
        """{suite: the packages that are taken from it}."""
        newer = {name for source in SOURCES for name in debian.names(source, BACKPORTS)}
        found, new = {BACKPORTS: set(), STABLE: set()}, {self.package}
        while new:
            more = set()
            for suite, names in ((BACKPORTS, new & newer), (STABLE, new - newer)):
                found[suite] |= names
                if names:
                    text = debian.ask(suite, None, "depends", *sorted(names))
                    more |= set(parse_depends(text))
                    if suite == BACKPORTS:
                        more |= set(ELSEWHERE.findall(text))
            new = more - found[BACKPORTS] - found[STABLE] - self.without
        return {suite: sorted(names) for suite, names in found.items()}

    def command(self, program=program, *arguments):
        """The command that runs QEMU with ARGUMENTS, and where its firmware is."""
        share = self.unpack() / "usr/share"
        return super().command(program, "-L", share / "qemu", "-L", share / "seabios",
                               *arguments)
