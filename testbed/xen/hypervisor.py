# SPDX-License-Identifier: GPL-2.0-only
"""The hypervisor, from Debian's xen source package, with the IOREQ server that
Debian's own build for arm64 leaves out.

A mirror may have lost the source of the newest version, or not have it yet. The one
before it then does, made to understand the newer tools."""

import shutil

from scripts import cache, debian, say
from testbed.xen import packages

CONFIG = """\
CONFIG_EXPERT=y
CONFIG_UNSUPPORTED=y
CONFIG_IOREQ_SERVER=y
"""
FILES = 240     # that such a build compiles, about
SUITES = (packages.SUITE, "bookworm")
# What the tools of Xen 4.20 and the hypervisor of 4.17 understand differently on arm, as
# {file: {its text: what it has to be}}: a field that only x86 uses, with it the number of
# the interface, and how a command that is not known (set_llc_colors) is refused
NEWER_TOOLS = {
    "include/public/domctl.h": {
        "#define XEN_DOMCTL_INTERFACE_VERSION 0x00000015":
            "#define XEN_DOMCTL_INTERFACE_VERSION 0x00000017",
        "    uint32_t grant_opts;\n": "    uint32_t grant_opts;\n    uint32_t altp2m_opts;\n",
    },
    "arch/arm/arm64/domctl.c": {"return -ENOSYS;": "return -EOPNOTSUPP;"},
}


def fetch():
    """The source tar file of Debian's xen package, of the first suite that has it."""
    for suite in SUITES[:-1]:
        try:
            return debian.fetch_tar("xen", suite)
        except say.Error as problem:
            say.note(f"{str(problem).splitlines()[0]}: taking {SUITES[-1]}'s")
    return debian.fetch_tar("xen", SUITES[-1])


def built():
    """The hypervisor that is in the cache already, the newest; or None."""
    found = [path for path in cache.directory("xen").glob("xen_*") if path.is_file()]
    return debian.newest(found, lambda path: path.name.partition("_")[2]) if found else None


def build():
    """Build the hypervisor; returns its path."""
    with cache.lock("xen-hypervisor"):
        path = built()
        if not path:
            tar = fetch()
            path = cache.directory("xen") / tar.name.replace(".orig.tar.xz", "")
            compile_tree(tar, path)
    return path


def plain():
    """Debian's own build of the hypervisor, without IOREQ servers; returns its path."""
    name = f"xen-hypervisor-{packages.XEN}-{packages.ARCH}"
    root = packages.unpacked("plain-hypervisor", [name])
    return root / f"boot/xen-{packages.XEN}-{packages.ARCH}"


def understand_newer_tools(source):
    """Let the hypervisor of 4.17 in SOURCE be used by the tools of packages.SUITE."""
    for name, changes in NEWER_TOOLS.items():
        path = source / name
        text = path.read_text()
        for old, new in changes.items():
            if text.count(old) != 1:
                raise say.Error(f"{path} is not as expected: no {old.strip()!r}",
                                "see testbed/xen/hypervisor.py")
            text = text.replace(old, new)
        path.write_text(text)


def compile_tree(tar, result):
    """Unpack TAR, build the hypervisor, put it at RESULT."""
    say.step(f"building the hypervisor from {tar.name} (about a minute)")
    tree = cache.directory("xen") / "hypervisor-tree"
    debian.unpack_tar(tar, tree)
    source = tree / "xen"
    if tar.name.startswith("xen_4.17"):
        understand_newer_tools(source)
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
