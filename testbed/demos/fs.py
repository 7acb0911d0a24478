# SPDX-License-Identifier: GPL-2.0-only
"""A directory of the host: read and written by the guest."""

from testbed import backends

PROGRAMS = {}


def backend(directory):
    """A directory with a file in it, by virtiofsd."""
    shared = directory / "shared"
    shared.mkdir()
    (shared / "from-host").write_text("written by the host\n")
    return backends.fs(directory, shared)


def show(bed, made, line):
    """mount, read, copy a tree in, look at it from the host."""
    guest = bed.guest
    guest.check(f"mount -t virtiofs {backends.FS_TAG} /mnt")
    line("mount", guest.check("grep virtiofs /proc/mounts").strip())
    line("cat /mnt/from-host", guest.check("cat /mnt/from-host").strip())
    guest.check("cp -a /usr /mnt/usr && diff -r /usr /mnt/usr && sync", 120)
    files = list((made.directory / "shared" / "usr").rglob("*"))
    line("cp -a /usr /mnt", f"the host sees {len(files)} files and directories")
    guest.check("umount /mnt")
