# SPDX-License-Identifier: GPL-2.0-only
"""Initramfs images: Dom0's, from Debian's arm64 packages, and in it the guests' one."""

from pathlib import Path

from testbed.cpio import Archive
from testbed.xen import packages

HERE = Path(__file__).resolve().parent
# What Dom0 does not need of its packages
LEFT_OUT = ("usr/share/", "usr/include/", "usr/sbin/", "usr/lib/python3", "usr/lib/systemd",
            "usr/lib/xen-common/", f"usr/lib/xen-{packages.XEN}/lib/python",
            f"usr/lib/xen-{packages.XEN}/bin/oxenstored", "usr/lib/aarch64-linux-gnu/gconv",
            "etc/default", "etc/init.d", "var/")
MOTD = """
This is Dom0. Programs: xl, xenstore-ls, virtio-msgd, vhost-device-i2c.
Try:  i2cdetect -l                        (the bus with the DS1338)
      virtio-msgd --xen &                 (built-in devices)
      xl create -c /etc/xen/domu.conf     (a guest; leave its console with ^])
      poweroff -f
"""


def guest(busybox, programs):
    """A guest's initramfs (bytes): busybox, the init beside this file, and PROGRAMS,
    {name in /bin: path}."""
    archive = Archive()
    for path in ("bin", "dev", "proc", "sys", "run", "tmp"):
        archive.directory(path)
    archive.device("dev/console", "c", 5, 1)
    archive.file("bin/busybox", busybox, 0o755)
    archive.file("init", (HERE / "domu" / "init").read_bytes(), 0o755)
    for name, program in programs.items():
        archive.file(f"bin/{name}", program.read_bytes(), 0o755)
    return archive.data()


def wanted(name):
    """Whether Dom0's image takes the file NAME of its packages."""
    return not name.startswith(LEFT_OUT) and not name.endswith((".a", ".o"))


def add_tree(archive, root):
    """Add the files below ROOT that Dom0 needs."""
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            if wanted(name):
                archive.link(name, str(path.readlink()))
        elif path.is_file() and wanted(name):
            archive.file(name, path.read_bytes(), path.stat().st_mode & 0o777)


def dom0(root, kernel, programs, guest_programs, files):
    """Dom0's initramfs (bytes). ROOT: its packages, unpacked; KERNEL: the guests';
    PROGRAMS: {name in /usr/local/bin: path}; GUEST_PROGRAMS: {name in a guest's /bin:
    path}; FILES: {path in the image: content}."""
    archive = Archive()
    for path in ("dev", "proc", "sys", "run", "tmp", "root", "var/lib", "var/log", "usr/bin",
                 "usr/sbin", "etc/xen", "boot"):
        archive.directory(path)
    archive.device("dev/console", "c", 5, 1)
    add_tree(archive, root)
    archive.file("init", (HERE / "dom0" / "init").read_bytes(), 0o755)
    archive.file("etc/motd", MOTD.encode())
    archive.file("etc/xen/domu.conf", (HERE / "domu.conf").read_bytes())
    archive.file("boot/Image", kernel.read_bytes())
    archive.file("boot/domu.cpio", guest((root / "usr/bin/busybox").read_bytes(),
                                         guest_programs))
    for name, program in programs.items():
        archive.file(f"usr/local/bin/{name}", program.read_bytes(), 0o755)
    for path, content in files.items():
        archive.file(path, content)
    return archive.data()
