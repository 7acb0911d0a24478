# SPDX-License-Identifier: GPL-2.0-only
"""virtio-msgd for Dom0: compiled here for arm64, against Debian's arm64 libraries."""

from scripts import cache, say
from testbed.xen import packages

SOURCE = say.REPO / "virtio-msgd"
CROSS = """\
[binaries]
c = ['aarch64-linux-gnu-gcc', '--sysroot={root}']
ar = 'aarch64-linux-gnu-ar'
strip = 'aarch64-linux-gnu-strip'
pkgconfig = 'pkg-config'

[built-in options]
# Before the cross compiler's own C library, which is this machine's Debian's
c_link_args = ['-B{root}/usr/lib/aarch64-linux-gnu', '-L{root}/usr/lib/aarch64-linux-gnu']

[properties]
sys_root = '{root}'
pkg_config_libdir = '{root}/usr/lib/aarch64-linux-gnu/pkgconfig:{root}/usr/share/pkgconfig'

[host_machine]
system = 'linux'
cpu_family = 'aarch64'
cpu = 'aarch64'
endian = 'little'
"""


def build():
    """Build it, or what of it has changed; returns the program's path. packages.HOST is there."""
    root = packages.unpacked("sysroot", packages.SYSROOT)
    directory = cache.directory("xen") / cache.of_checkout(f"msgd-{root.name}")
    with cache.lock("xen-msgd"):
        say.step("building virtio-msgd for Dom0")
        if not (directory / "build.ninja").is_file():
            cross = directory.with_suffix(".cross")
            cross.write_text(CROSS.format(root=root))
            say.run(["meson", "setup", f"--cross-file={cross}", "--buildtype=debugoptimized",
                     "-Dxen=enabled", "-Dtests=disabled", directory, SOURCE], "xen-msgd-setup",
                    "configuring virtio-msgd")
        say.run(["ninja", "-C", directory, "virtio-msgd"], "xen-msgd-build",
                "building virtio-msgd")
    return directory / "virtio-msgd"
