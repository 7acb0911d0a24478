# SPDX-License-Identifier: GPL-2.0-only
"""A fresh Debian in a directory, in which things are installed and built as root.

What mmdebstrap makes of the packages asked for is kept in the cache as a tar file, and every
use gets a new copy. So are the packages that are installed in a copy: from the second time on
nothing is downloaded.
"""

import contextlib
import hashlib
import subprocess
from pathlib import Path

from scripts import cache, debian, say

PACKAGES = ["mmdebstrap", "zstd", "util-linux"]
# For /usr/sbin, whatever the user's PATH is
ENVIRONMENT = ("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8",
               "DEBIAN_FRONTEND=noninteractive")
# $0: the chroot, $1: the packages that were downloaded, the rest: a command. All mounts are in
# a namespace that ends with it.
ENTER = ('mount --bind "$1" "$0/var/cache/apt/archives" && root=$0 && shift && '
         'exec chroot "$root" "$@"')


def apt_settings():
    """How this machine's apt reaches its mirror (proxies), as lines of apt.conf."""
    dump = say.output(["apt-config", "dump"])
    return [line for line in dump.splitlines()
            if line.startswith(("Acquire::http::", "Acquire::https::")) and '""' not in line]


class Release:
    """A Debian release (with more suites, such as its backports) and packages in it."""

    def __init__(self, name, suites, packages, stamp=""):
        self.name = name
        self.suites = suites
        self.packages = sorted(packages)
        key = hashlib.sha256(f"{name} {suites} {self.packages} {stamp}".encode())
        self.image = cache.directory("chroot") / f"{name}-{key.hexdigest()[:12]}.tar.zst"

    @property
    def archives(self):
        """Where the packages are that were installed in copies."""
        return cache.directory("chroot", f"{self.name}-{debian.host_arch()}-archives")

    def make_image(self):
        """Make the tar file if it is not there."""
        debian.install(PACKAGES)
        with cache.lock(f"chroot-{self.image.stem}"):
            if self.image.exists():
                return
            for old in self.image.parent.glob(f"{self.name}-*.tar.zst"):
                old.unlink()
            say.step(f"making a Debian {self.name} with {' '.join(self.packages)}")
            unfinished = self.image.with_name(f"new-{self.image.name}")
            sources = [f"deb {debian.mirror(suite)} {suite} main"
                       for suite in (self.name, *self.suites)]
            say.run(debian.as_root(
                ["nice", "mmdebstrap", "--mode=root", "--variant=minbase",
                 f"--include={','.join(self.packages)}", "--skip=cleanup/apt/lists",
                 *(f"--aptopt={line}" for line in apt_settings()),
                 self.name, unfinished, *sources]), f"chroot-{self.name}", "mmdebstrap",
                what_to_do="check the network, and that the packages still exist")
            unfinished.rename(self.image)

    @contextlib.contextmanager
    def fresh(self):
        """A new copy of it, which is removed in the end."""
        self.make_image()
        path = cache.directory("chroot") / f"{cache.of_checkout(self.name)}"
        with cache.lock(f"chroot-{path.name}"):
            remove(path)
            debian_root = Chroot(path, self.archives)
            try:
                path.mkdir()
                say.run(debian.as_root(["tar", "-C", path, "--zstd", "-xpf", self.image]),
                        f"chroot-{self.name}-unpack", f"unpacking {self.image}")
                debian_root.copy_file("/etc/resolv.conf")
                yield debian_root
            finally:
                remove(path)


def remove(path):
    """Remove a chroot, in which nothing is mounted: mounts end with what was run there."""
    if path.exists():
        say.output(debian.as_root(["rm", "-rf", "--one-file-system", str(path)]))


class Chroot:
    """A Debian in a directory."""

    def __init__(self, path, archives):
        self.path = Path(path)
        self.archives = archives

    def copy_file(self, name):
        """Give it this machine's file NAME, if there is one."""
        if Path(name).exists():
            say.output(debian.as_root(["cp", "--remove-destination", "-L", name,
                                       f"{self.path}{name}"]))

    def copy(self, source, target):
        """Copy the directory or file SOURCE to TARGET in it."""
        say.output(debian.as_root(["cp", "-rT", str(source), f"{self.path}{target}"]))

    def command(self, *words):
        """The command line that runs WORDS in it."""
        return debian.as_root(["unshare", "--mount", "--pid", "--fork", "--kill-child",
                               f"--mount-proc={self.path}/proc", "sh", "-c", ENTER,
                               str(self.path), str(self.archives), *ENVIRONMENT,
                               *(str(word) for word in words)])

    def run(self, log, *words):
        """Run WORDS in it; returns the log's text."""
        say.run(self.command(*words), log, " ".join(str(word) for word in words[:3]))
        return say.log_file(log).read_text(errors="replace")

    def output(self, *words):
        """What WORDS print there."""
        return say.output(self.command(*words))

    def try_run(self, *words):
        """The exit status of WORDS there."""
        return subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, check=False,
                              capture_output=True).returncode

    def find(self, *patterns):
        """The paths in it that match, as they are called there."""
        script = 'for path; do test ! -e "$path" || echo "$path"; done'
        globs = " ".join(patterns)
        return self.output("sh", "-c", f"set -- {globs}; {script}").splitlines()
