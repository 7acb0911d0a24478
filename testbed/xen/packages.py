# SPDX-License-Identifier: GPL-2.0-only
"""arm64 packages of Debian, unpacked into directories; nothing of them is installed."""

import hashlib
import shutil

from scripts import cache, debian, say

SUITE = "trixie"
ARCH = "arm64"
XEN = "4.20"

# What this machine needs to build and run the rest
HOST = ("qemu-system-arm", "gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross", "meson",
        "ninja-build", "pkg-config", "device-tree-compiler", "python3", "flex", "bison", "make",
        "gcc", "libc6-dev", "bc", "ccache", "xz-utils")

LIBRARIES = (
    "libc6", "libgcc-s1",
    "libxentoolcore1", "libxentoollog1", "libxencall1", "libxendevicemodel1", "libxenevtchn1",
    "libxenforeignmemory1", "libxengnttab1", "libxenhypfs1", "libxenstore4", f"libxenmisc{XEN}",
    "libyajl2", "libfdt1", "libuuid1", "zlib1g",
    "libevent-core-2.1-7t64", "libjansson4", "libinih1", "libseccomp2",
)

# Dom0's root file system
DOM0 = LIBRARIES + (f"xen-utils-{XEN}", "xen-utils-common", "xenstore-utils", "busybox-static")

# What virtio-msgd is compiled against
SYSROOT = LIBRARIES + ("libc6-dev", "linux-libc-dev", "libxen-dev", "libevent-dev",
                       "libevent-2.1-7t64", "libevent-extra-2.1-7t64",
                       "libevent-openssl-2.1-7t64", "libevent-pthreads-2.1-7t64",
                       "libjansson-dev", "libinih-dev", "libseccomp-dev")

# Directories that Debian's base-files would have made, which trixie's packages rely on
MERGED = {"lib": "usr/lib", "bin": "usr/bin", "sbin": "usr/sbin"}


def tag(debs):
    """A short name for a set of package files."""
    names = "\n".join(sorted(deb.name for deb in debs))
    return hashlib.sha256(names.encode()).hexdigest()[:12]


def unpacked(name, packages, suite=SUITE):
    """The directory that holds the files of PACKAGES; made anew when one of them changes."""
    debs = debian.fetch_all(list(packages), suite, ARCH)
    path = cache.directory("xen") / f"{name}-{tag(debs)}"
    with cache.lock(f"xen-{name}"):
        if not path.is_dir():
            say.step(f"unpacking {len(debs)} {ARCH} packages for {name}")
            unfinished = path.with_suffix(".new")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            for link, target in MERGED.items():
                (unfinished / target).mkdir(parents=True, exist_ok=True)
                (unfinished / link).symlink_to(target)
            for deb in debs:
                debian.unpack(deb, unfinished)
            unfinished.rename(path)
    return path
