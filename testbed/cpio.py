# SPDX-License-Identifier: GPL-2.0-only
"""Writes the archives Linux takes as an initramfs (cpio, "newc")."""

import gzip
import stat

MAGIC = b"070701"
TRAILER = "TRAILER!!!"


class Archive:
    """An initramfs in the making. Directories above an entry are added by themselves."""

    def __init__(self):
        self.entries = {}

    def directory(self, path, mode=0o755):
        """Add a directory; one that is there already stays as it is."""
        self._add(path, stat.S_IFDIR | mode)

    def file(self, path, data, mode=0o644):
        """Add a regular file with the content DATA (bytes)."""
        self._add(path, stat.S_IFREG | mode, data)

    def link(self, path, target):
        """Add a symbolic link."""
        self._add(path, stat.S_IFLNK | 0o777, target.encode())

    def device(self, path, kind, major, minor, mode=0o600):
        """Add a device node; KIND is "c" or "b"."""
        self._add(path, (stat.S_IFCHR if kind == "c" else stat.S_IFBLK) | mode,
                  rdev=(major, minor))

    def _add(self, path, mode, data=b"", rdev=(0, 0)):
        path = path.strip("/")
        if not path:
            return
        parent = path.rpartition("/")[0]
        if parent and parent not in self.entries:
            self.directory(parent)
        if stat.S_ISDIR(mode) and path in self.entries:
            return
        self.entries[path] = (mode, data, rdev)

    def data(self):
        """The archive as bytes: the same entries give the same bytes."""
        parts = [_entry(number, path, *entry)
                 for number, (path, entry) in enumerate(self.entries.items(), start=1)]
        return b"".join(parts) + _entry(0, TRAILER, 0, b"", (0, 0))

    def write(self, path):
        """Write the archive, compressed, to PATH."""
        with open(path, "wb") as file:
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=1,
                               mtime=0) as packed:
                packed.write(self.data())


def _padded(data):
    return data + b"\0" * (-len(data) % 4)


def _entry(number, path, mode, data, rdev):
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (number, mode, 0, 0, links, 0, len(data), 0, 0, *rdev, len(name), 0)
    header = MAGIC + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(data)
