# SPDX-License-Identifier: GPL-2.0-only
"""QEMU's contrib/vhost-user-blk, which no Debian package has as a program.

Built from Debian's qemu source package as it is: three of its C files. What its
configure would write for them is in CONFIG.
"""

import shutil

from scripts import cache, debian, say

SUITE = "trixie"
PACKAGES = ["gcc", "libc6-dev", "libglib2.0-dev", "pkgconf"]
# What is compiled, and where its own headers are
PARTS = ("contrib/vhost-user-blk", "subprojects/libvhost-user", "include")
CONFIG = {
    "config-host.h": "#define CONFIG_POSIX 1\n#define CONFIG_LINUX 1\n#define CONFIG_IOVEC 1\n",
    # Names of other targets that must not be used: none that these files could
    "config-poison.h": "",
}


def build():
    """Build the program; returns its path."""
    tar = debian.fetch_tar("qemu", SUITE)
    path = cache.directory("vhost-user-blk") / tar.name.replace(".orig.tar.xz", "")
    with cache.lock("vhost-user-blk"):
        if not path.is_file():
            debian.install(PACKAGES)
            say.step(f"building vhost-user-blk from {tar.name}")
            tree = path.with_name(f"{path.name}.tree")
            debian.unpack_tar(tar, tree, *PARTS)
            compile_program(tree)
            shutil.copy(tree / "vhost-user-blk", path)
            shutil.rmtree(tree)
    return path


def compile_program(tree):
    """Compile and link it in TREE."""
    for name, text in CONFIG.items():
        (tree / name).write_text(text)
    glib = say.output(["pkg-config", "--cflags", "--libs", "glib-2.0"]).split()
    library = tree / "subprojects" / "libvhost-user"
    say.run(["gcc", "-std=gnu11", "-O2", "-g", "-D_GNU_SOURCE", "-I", tree, "-I", tree / "include",
             "-I", library, tree / "contrib/vhost-user-blk/vhost-user-blk.c",
             library / "libvhost-user.c", library / "libvhost-user-glib.c", "-pthread", *glib,
             "-o", tree / "vhost-user-blk"],
            "vhost-user-blk", "building vhost-user-blk")
