# SPDX-License-Identifier: GPL-2.0-only
"""The program that makes devices work in guests."""

from scripts import cache, debian, kernel, say

SOURCE = say.REPO / "testbed" / "guest"


def build(arch=None):
    """Build the program that makes devices work in the guest; returns its path.

    ARCH is the guest's architecture, this machine's if not given.
    """
    arch = arch or kernel.machine_arch()
    cross = kernel.cross_prefix(arch)
    debian.install([f"gcc-{cross[:-1]}", f"libc6-dev-{arch}-cross"] if cross
                   else ["gcc", "libc6-dev"])
    path = cache.directory("build", "bench") / cache.of_checkout(f"load-{arch}")
    with cache.lock("build-bench-load"):
        newest = max(each.stat().st_mtime for each in SOURCE.glob("*.[ch]"))
        if not path.exists() or path.stat().st_mtime < newest:
            say.run([f"{cross}gcc", "-O2", "-Wall", "-Werror", "-D_GNU_SOURCE", "-static", "-o",
                     path, *sorted(SOURCE.glob("*.c"))], "bench-load",
                    "building the program for the guest")
    return path
