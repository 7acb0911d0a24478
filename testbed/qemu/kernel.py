# SPDX-License-Identifier: GPL-2.0-only
"""A stock kernel of Debian with our modules, built as `make modules` does, and an initramfs.

The modules are built in a Debian of the kernel's own release, since a kernel's headers want
the compiler that it was built with; it is the one of testbed.installed.
"""

import hashlib
import lzma
import shutil
import tempfile
from pathlib import Path

from scripts import cache, debian, deb, modules, say
from testbed import cpio, installed
from testbed.qemu.packages import BACKPORTS

INIT = Path(__file__).resolve().parent / "init"
BUS = "virtio_msg_pci"
DRIVERS = ("virtio_rng", "virtio_blk")
SOURCE = installed.SOURCE


def key(image):
    """Changes with the modules' sources and with the Debian that they are built in."""
    digest = hashlib.sha256(image.name.encode())
    for name in modules.sources():
        digest.update(f"{name}\n".encode() + (say.REPO / name).read_bytes())
    return digest.hexdigest()[:16]


def build_modules():
    """The directory with our modules, and `release`, the version of their kernel."""
    made = installed.releases(installed.host_release(), debian.host_arch())["mainline"]
    directory = cache.directory("qemu") / f"modules-{key(made.image)}"
    if directory.is_dir():
        return directory
    for old in directory.parent.glob("modules-*"):
        shutil.rmtree(old)
    unfinished = directory.with_name("new-modules")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    with made.fresh() as chroot, tempfile.TemporaryDirectory() as scratch:
        [release] = chroot.output("ls", "/lib/modules").split()
        say.step(f"building the modules for Linux {release}")
        deb.copy_files(Path(scratch))
        chroot.copy(scratch, SOURCE)
        chroot.run("qemu-modules", "make", "-C", SOURCE, "modules",
                   f"HEADERS=/lib/modules/{release}")
        for path in (chroot.path / f"{SOURCE.lstrip('/')}/out/modules/{release}").glob("*.ko"):
            shutil.copy(path, unfinished)
    (unfinished / "release").write_text(release)
    unfinished.rename(directory)
    return directory


def stock(release):
    """The directory with the files of the kernel RELEASE and its own modules."""
    directory = cache.directory("qemu") / f"linux-{release}"
    if not directory.is_dir():
        unfinished = directory.with_name(f"new-{directory.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        for package in debian.fetch_all([f"linux-binary-{release}", f"linux-modules-{release}"],
                                        BACKPORTS):
            debian.unpack(package, unfinished)
        unfinished.rename(directory)
    return directory


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


def initramfs(files, target):
    """Write the initramfs to TARGET: busybox, and the modules of FILES ({name: path}) that
    are wanted, of which init loads all but the bus."""
    debian.install(["busybox-static", *modules.PACKAGES])
    found = {}

    def needs(name):
        """Of those that are modules in this kernel."""
        found[name] = [each for each in depends(files[name]) if each in files]
        return found[name]

    order = in_order([name for name in (*DRIVERS, BUS) if name in files], needs)
    archive = cpio.Archive()
    for name in ("dev", "proc", "sys", "tmp"):
        archive.directory(name)
    archive.device("dev/console", "c", 5, 1)
    archive.file("bin/busybox", Path("/bin/busybox").read_bytes(), 0o755)
    for name in order:
        archive.file(f"modules/{name}.ko", content(files[name]))
    archive.file("modules/order", "".join(f"{name}\n" for name in order if name != BUS).encode())
    archive.file("init", INIT.read_bytes(), 0o755)
    archive.write(target)


def build():
    """(kernel image, initramfs)."""
    with cache.lock(f"qemu-{cache.of_checkout('kernel')}"), cache.lock("qemu"):
        ours = build_modules()
        release = (ours / "release").read_text()
        tree = stock(release) / "usr/lib/modules" / release
        initrd = ours / "initrd.gz"
        own = {module_name(path): path for path in ours.glob("*.ko")}
        theirs = {module_name(path): path for path in tree.rglob("*.ko*")}
        initramfs(theirs | own, initrd)
        return tree / "vmlinuz", initrd
