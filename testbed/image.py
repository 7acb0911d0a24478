# SPDX-License-Identifier: GPL-2.0-only
"""The UML guest's initramfs, made of this machine's own programs.

Programs are copied from installed Debian packages together with the libraries
they need. The image is made again only when one of them has changed.
"""

import hashlib
import os
import re
from pathlib import Path

from scripts import cache, debian, say
from testbed import cpio

HERE = Path(__file__).resolve().parent
INIT = HERE / "guest" / "init"

# Debian package: the programs of it that the guest gets
PROGRAMS = {
    "busybox-static": ["/bin/busybox"],
    # Its own shell would prefer busybox's hwclock and others to the real ones
    "dash": ["/bin/sh"],
    "bash": ["/bin/bash"],
    "i2c-tools": ["/usr/sbin/i2cdetect", "/usr/sbin/i2cget", "/usr/sbin/i2cset",
                  "/usr/sbin/i2ctransfer"],
    "util-linux": ["/sbin/hwclock"],
    "util-linux-extra": ["/sbin/hwclock"],
}

DIRECTORIES = ["dev", "proc", "sys", "tmp", "run", "root", "mnt", "host", "etc"]


def packages():
    """The Debian packages the image is made of."""
    named = dict(PROGRAMS)
    # Since Debian 13 hwclock is in util-linux-extra, which Debian 12 has as well
    if "VERSION_ID=\"12\"" in Path("/etc/os-release").read_text():
        del named["util-linux-extra"]
    else:
        del named["util-linux"]
    return named


def libraries(program):
    """The shared libraries, loader included, that PROGRAM needs: paths on this machine."""
    head = Path(program).read_bytes()[:20]
    if head[:4] != b"\x7fELF":
        raise say.Error(f"{program} is not a program of this machine")
    listed = say.output(["ldd", program]) if not _is_static(program) else ""
    return re.findall(r"^\s*(?:\S+ => )?(/\S+) \(0x", listed, re.MULTILINE)


def _is_static(program):
    data = Path(program).read_bytes()
    return b"/ld-linux" not in data[:4096] and b"/ld-musl" not in data[:4096]


def busybox_links():
    """The names busybox answers to."""
    return say.output(["/bin/busybox", "--list-full"]).split()


class Image:
    """The initramfs with PROGRAMS of this machine ({package: [path]}) besides the usual ones."""

    def __init__(self, programs=None):
        self.programs = packages() | (programs or {})

    def paths(self):
        """The programs' paths, each once."""
        return sorted({path for paths in self.programs.values() for path in paths})

    def install(self):
        """Install the packages the programs come from."""
        debian.install([*self.programs])
        for path in self.paths():
            if not os.path.exists(path):
                raise say.Error(f"{path} is missing, although {', '.join(self.programs)} are "
                                "installed", "reinstall the package it belongs to")

    def key(self):
        """Changes when what goes into the image has changed."""
        state = hashlib.sha256(Path(__file__).read_bytes())
        for path in [cpio.__file__, INIT, *self.paths()]:
            info = os.stat(path)
            state.update(f"{path} {info.st_size} {info.st_mtime_ns}\n".encode())
        return state.hexdigest()[:16]

    def build(self):
        """Make the image unless it is there; returns its path."""
        self.install()
        path = cache.directory("image") / f"uml-{self.key()}.cpio.gz"
        with cache.lock("image"):
            if not path.exists():
                say.step("making the guest's initramfs")
                unfinished = path.with_suffix(".new")
                self.archive().write(unfinished)
                unfinished.rename(path)
        return path

    def archive(self):
        """The image's content."""
        archive = cpio.Archive()
        for name in DIRECTORIES:
            archive.directory(name)
        archive.device("dev/console", "c", 5, 1)
        archive.file("init", INIT.read_bytes(), 0o755)
        for path in self.paths():
            for file in [path, *libraries(path)]:
                archive.file(file, Path(file).read_bytes(), 0o755)
        real = {os.path.basename(path) for path in self.paths()}
        for name in busybox_links():
            if os.path.basename(name) not in real:
                archive.link(name, "/bin/busybox")
        return archive
