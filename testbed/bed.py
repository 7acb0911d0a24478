# SPDX-License-Identifier: GPL-2.0-only
"""A UML guest and its device side together: what demo, tests and bench boot."""

import functools
import os
import re
import shutil
import tempfile
from pathlib import Path

from scripts import cache, kernel, say, tree
from scripts.git import Git
from testbed import image, msgd
from testbed.guest import Guest

CONFIGS = Path(__file__).resolve().parent / "configs"
BASE = 0x1000000000
WINDOW_SIZE = 0x200
# With more devices than this a window has the place of two
SMALL_SLOTS = 44
FIRST_IRQ = 32
MAX_WINDOWS = 16
# Name of the build, what of CONFIGS it is made of, how many objects that are
KERNEL = ("guest", ("uml", "uniprocessor", "backends"), 1400)
SMP_KERNEL = ("guest-smp", ("uml", "smp"), 1150)
# With a socket's name after it this fits into a struct sockaddr_un
LONGEST_DIRECTORY = 90


@functools.cache
def guest_kernel(base="mainline", smp=False):
    """The guest kernel of BASE with the series, built if need be; returns its path.

    With SMP it can have several CPUs, and has fewer drivers. No such thing in 6.12.
    """
    name, configs, objects = SMP_KERNEL if smp else KERNEL
    wanted = [CONFIGS / f"{config}.config" for config in configs]
    source = tree.lay(base)
    # make itself takes seconds to find that there is nothing to do
    state = Git(source).run("rev-parse", "HEAD") + "".join(path.read_text() for path in wanted)
    stamp = cache.directory("build", source.name) / f"{name}-um.built"
    path = cache.directory("build", source.name, f"{name}-um") / "linux"
    if not (path.exists() and stamp.exists() and stamp.read_text() == state):
        kernel.build(base, name, "um", wanted, targets=("linux",), objects=objects)
        stamp.write_text(state)
    return path


def region(socket, windows=MAX_WINDOWS):
    """The kernel parameter that has WINDOWS windows served at SOCKET."""
    last = FIRST_IRQ + windows - 1
    return f"mmio_sock.region={windows * WINDOW_SIZE:#x}@{BASE:#x}:{FIRST_IRQ}-{last}:{socket}"


def window(number, driver="virtio_msg_mmio", places=1):
    """The kernel parameter that tells DRIVER of a window, which has the place of PLACES."""
    return (f"{driver}.device={places * WINDOW_SIZE:#x}@{BASE + number * WINDOW_SIZE:#x}:"
            f"{FIRST_IRQ + number}")


def driver_of(window_options):
    """Which guest driver a window with these virtio-msgd options is for."""
    return "virtio_mmio" if "personality=mmio" in window_options else "virtio_msg_mmio"


def given(windows):
    """The kernel parameters for all of virtio-msgd's WINDOWS, side by side."""
    number, params = 0, []
    for each in windows:
        options = each if isinstance(each, str) else each[0]
        slots = re.search(r"slots=(\d+)", options)
        places = 2 if slots and int(slots[1]) > SMALL_SLOTS else 1
        params.append(window(number, driver_of(options), places))
        number += places
    return params


class Bed:
    """virtio-msgd with WINDOWS (its --window options) and a guest of CPUS that has them all."""

    KIND = "User Mode Linux"

    def __init__(self, name, windows, base="mainline", params=(), programs=None,
                 memory="128M", cpus=1):
        self.directory = run_directory(name)
        self.windows = list(windows)
        self.msgd = msgd.Msgd(msgd.build(), self.directory, windows)
        self.guest = Guest(guest_kernel(base, cpus > 1), image.Image(programs).build(),
                           self.directory, [region(self.msgd.socket), *given(windows),
                                            "rng_core.default_quality=0", *params],
                           memory, cpus)

    def __enter__(self):
        with_msgd = self.msgd.start()
        try:
            self.guest.start()
        except BaseException:
            with_msgd.kill()
            raise
        return self

    def __exit__(self, *_):
        self.guest.kill()
        self.msgd.kill()

    def node(self, window, pattern):
        """The path in the guest's /dev of what a virtio-msg window's driver made."""
        path = self.guest.check("ls -d /sys/bus/platform/devices/"
                                f"virtio-msg-mmio.{window}/virtio*/{pattern}").strip()
        return "/dev/" + path.rpartition("/")[2]


def run_directory(name):
    """An empty directory for the files of the run called NAME, below out/.

    A socket's path must be short, and the checkout's may be too long for that: then
    the files are elsewhere, and the directory has a link to them.
    """
    path = say.REPO / "out" / name
    elsewhere = path / "files"
    if elsewhere.is_symlink():
        shutil.rmtree(elsewhere.resolve(), ignore_errors=True)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    if len(os.fsencode(path)) < LONGEST_DIRECTORY:
        return path
    elsewhere.symlink_to(tempfile.mkdtemp(prefix="virtio-msg-"))
    return elsewhere.resolve()
