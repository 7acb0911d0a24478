# SPDX-License-Identifier: GPL-2.0-only
"""The initramfs of QEMU's guests: programs of this machine, and modules of the guest's kernel."""

import lzma
from pathlib import Path

from scripts import debian, modules, say
from testbed.image import Image

INIT = Path(__file__).resolve().parent / "init"
BUS = "virtio_msg_pci"


def module_name(path):
    """What a module's file is called in the kernel."""
    return path.name.partition(".")[0].replace("-", "_")


def in_order(wanted, needs):
    """WANTED and what they need, each after what it needs. NEEDS: function of a name."""
    order = []
    for name in wanted:
        for each in (*in_order(needs(name), needs), name):
            if each not in order:
                order.append(each)
    return order


def depends(path):
    """The names of the modules that the one at PATH needs."""
    text = say.output(["modinfo", "-F", "depends", path])
    return [name.replace("-", "_") for name in text.strip().split(",") if name]


def content(path):
    """A module's bytes, unpacked."""
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def write(target, files, drivers, programs=None):
    """Write the initramfs to TARGET, with PROGRAMS as testbed.image has them. Of FILES, the
    kernel's modules ({name: path}), it gets DRIVERS, which init loads, and the bus, which it
    does not."""
    debian.install(modules.PACKAGES)
    image = Image(programs)
    image.install()

    def needs(name):
        """Of those that are modules in this kernel."""
        return [each for each in depends(files[name]) if each in files]

    order = in_order([name for name in (*drivers, BUS) if name in files], needs)
    archive = image.archive()
    for name in order:
        archive.file(f"modules/{name}.ko", content(files[name]))
    archive.file("modules/order", "".join(f"{name}\n" for name in order if name != BUS).encode())
    archive.file("init", INIT.read_bytes(), 0o755)
    archive.write(target)
