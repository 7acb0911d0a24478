# SPDX-License-Identifier: GPL-2.0-only
"""A stock kernel of Debian, with our modules, built as `make modules` does.

The modules are built in a Debian of the kernel's own release, since a kernel's headers want
the compiler that it was built with; it is the one of testbed.installed. Drivers that Debian's
kernel leaves out are built from that kernel's source as more modules.
"""

import hashlib
import re
import shutil
import tempfile
from pathlib import Path

from scripts import cache, debian, deb, modules, say
from testbed import installed
from testbed.qemu import initramfs
from testbed.qemu.packages import BACKPORTS

SOURCE = installed.SOURCE
# Drivers that Debian may leave out: the option, and where the source is
DRIVERS = {"i2c-virtio": ("CONFIG_I2C_VIRTIO", "drivers/i2c/busses"),
           "rtc-ds1307": ("CONFIG_RTC_DRV_DS1307", "drivers/rtc")}
DRIVERS_SOURCE = "/usr/src/drivers"


def key(image):
    """Changes with the modules' sources and with the Debian that they are built in."""
    digest = hashlib.sha256(image.name.encode() + Path(__file__).read_bytes())
    for name in modules.sources():
        digest.update(f"{name}\n".encode() + (say.REPO / name).read_bytes())
    return digest.hexdigest()[:16]


def build_modules(flavour):
    """The directory with our modules for a FLAVOUR of the kernel ("" for the usual one), and
    `release`, the version of it."""
    made = installed.newest(debian.host_arch(), flavour)
    directory = cache.directory("qemu") / f"{flavour}modules-{key(made.image)}"
    if directory.is_dir():
        return directory
    for old in directory.parent.glob(f"{flavour}modules-*"):
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
        for path in build_drivers(chroot, release):
            shutil.copy(path, unfinished)
    (unfinished / "release").write_text(release)
    unfinished.rename(directory)
    return directory


def left_out(config):
    """Those of DRIVERS that a kernel with CONFIG (the text of its .config) has not."""
    return [name for name, (option, _) in DRIVERS.items()
            if not re.search(f"^{option}=[ym]$", config, re.MULTILINE)]


def build_drivers(chroot, release):
    """The modules of what the kernel leaves out, built in CHROOT, which has its headers."""
    build = f"/lib/modules/{release}/build"
    wanted = left_out(chroot.output("cat", f"{build}/.config"))
    if not wanted:
        return []
    say.step(f"building what Debian's kernel leaves out: {' '.join(wanted)}")
    with tempfile.TemporaryDirectory() as scratch:
        for path in driver_sources(wanted, release):
            shutil.copy(path, scratch)
        (Path(scratch) / "Kbuild").write_text(
            "".join(f"obj-m += {name}.o\n" for name in wanted))
        chroot.copy(scratch, DRIVERS_SOURCE)
    chroot.run("qemu-drivers", "make", "-C", build, f"M={DRIVERS_SOURCE}", "modules")
    return sorted((chroot.path / DRIVERS_SOURCE.lstrip("/")).glob("*.ko"))


def driver_sources(names, release):
    """The source files of drivers of the kernel RELEASE, out of Debian's package."""
    package = f"linux-source-{'.'.join(release.split('.')[:2])}"
    package_file = debian.fetch(package, BACKPORTS)
    directory = cache.directory("qemu") / package_file.stem
    paths = [directory / package / DRIVERS[name][1] / f"{name}.c" for name in names]
    if not all(path.exists() for path in paths):
        say.note(f"taking {' '.join(path.name for path in paths)} out of {package_file.name}")
        with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
            debian.unpack(package_file, scratch)
            directory.mkdir(exist_ok=True)
            # Each once: the rest of the archive need not be unpacked
            say.output(["tar", "-xf", Path(scratch) / f"usr/src/{package}.tar.xz", "-C",
                        directory, "--occurrence=1",
                        *(str(path.relative_to(directory)) for path in paths)])
    return paths


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


def build(directory, drivers, programs=None, flavour=""):
    """(kernel image, initramfs) of a FLAVOUR of Debian's kernel; the latter is made in DIRECTORY,
    with DRIVERS and PROGRAMS as initramfs.write() has them."""
    with cache.lock(f"qemu-{cache.of_checkout('kernel')}"), cache.lock("qemu"):
        ours = build_modules(flavour)
        release = (ours / "release").read_text()
        tree = stock(release) / "usr/lib/modules" / release
        own = {initramfs.module_name(path): path for path in ours.glob("*.ko")}
        theirs = {initramfs.module_name(path): path for path in tree.rglob("*.ko*")}
        initrd = directory / "initrd.gz"
        initramfs.write(initrd, theirs | own, drivers, programs)
        return tree / "vmlinuz", initrd
