# SPDX-License-Identifier: GPL-2.0-only
"""The hypervisor, from Debian's xen source package, with the IOREQ server that
Debian's own build for arm64 leaves out."""

import shutil
import tarfile

from scripts import cache, debian, say
from testbed.xen import packages

CONFIG = """\
CONFIG_EXPERT=y
CONFIG_UNSUPPORTED=y
CONFIG_IOREQ_SERVER=y
"""
FILES = 240     # that such a build compiles, about


def fetch():
    """The source tar file of Debian's xen package."""
    source = debian.Suite(packages.SUITE, debian.host_arch())
    with cache.lock(f"debian-{packages.SUITE}-{debian.host_arch()}"):
        if not list(source.debs.glob("xen_*.orig.tar.xz")):
            say.step("fetching the source of xen")
            source.apt(["source", "--download-only", "--tar-only"], ["xen"], "apt-source-xen")
        return sorted(source.debs.glob("xen_*.orig.tar.xz"))[-1]


def build():
    """Build the hypervisor; returns its path."""
    tar = fetch()
    path = cache.directory("xen") / tar.name.replace(".orig.tar.xz", "")
    with cache.lock("xen-hypervisor"):
        if not path.is_file():
            compile_tree(tar, path)
    return path


def compile_tree(tar, result):
    """Unpack TAR, build the hypervisor, put it at RESULT."""
    say.step(f"building the hypervisor from {tar.name} (about a minute)")
    tree = cache.directory("xen") / "hypervisor-tree"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    with tarfile.open(tar) as archive:
        archive.extractall(tree, filter="tar")
    [source] = tree.glob("xen-*/xen")
    (source / "arch/arm/configs/ioreq_defconfig").write_text(CONFIG)
    make = ["nice", "make", "-j2", "-C", source, "XEN_TARGET_ARCH=arm64",
            "CROSS_COMPILE=aarch64-linux-gnu-"]
    say.run([*make, "ioreq_defconfig"], "xen-config", "configuring the hypervisor")
    progress = say.Progress("hypervisor", FILES)
    done = 0

    def count(line):
        nonlocal done
        done += line.lstrip().startswith("CC ")
        progress.at(done, "files")

    say.run(make, "xen-build", "building the hypervisor", on_line=count)
    shutil.copy(source / "xen", result)
    shutil.rmtree(tree)
