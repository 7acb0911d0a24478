# SPDX-License-Identifier: GPL-2.0-only
"""vhost-user backends that others wrote, unmodified: had, started, always ended.

Each function returns a Backend that is not started yet. Where the programs come
from: qemu-storage-daemon, virtiofsd, passt and vhost-device-vsock from newer Debians
than this machine's may be (testbed.foreign); vhost-user-blk from the source of QEMU
(testbed.vhost_user_blk); the rest from crates.io, built in the cache.
"""

import os
import platform
import shutil
import signal
import socket
import subprocess
import time
import unittest
from pathlib import Path

from scripts import cache, debian, say, wait
from testbed import vhost_user_blk
from testbed.foreign import Foreign
from testbed.qmp import Qmp

SECONDS = 10
DOCUMENTED = Path(__file__).resolve().parent / "BACKENDS.md"

GUEST_IP, HOST_IP, GUEST_MAC = "10.0.2.15", "10.0.2.2", "52:54:00:12:34:56"
FS_TAG = "shared"
GUEST_CID = 3

CRATES = {"vhost-device-rng": "0.1.0", "vhost-device-scsi": "0.1.0",
          "vhost-device-console": "0.1.0"}
CRATES_EACH = 90    # crates that one of them is made of, about


class Backend:
    """A backend's process. WINDOW: the virtio-msgd window that it is behind."""

    def __init__(self, name, directory, command, path, window):
        self.name, self.directory = name, Path(directory)
        self.command = [str(word) for word in command]
        self.socket = Path(path)
        self.window = f"device={window},socket={self.socket}"
        self.log_file = self.directory / f"{name}.log"
        self.process = None

    def beginning(self):
        """How far the process is that was started; None: it has just begun."""
        if self.socket.exists():
            return "listens"
        return None if self.process.poll() is None else "has ended"

    def start(self):
        """Start it; returns when it listens."""
        self.socket.unlink(missing_ok=True)
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, start_new_session=True)
        # Seen once: some remove it again, and make it anew
        if wait.until(self.beginning, SECONDS, 0.01) != "listens":
            self.kill()
            raise say.Error(f"{self.name} does not start (log: {self.log_file})\n"
                            f"{say.last_lines(self.log_file)}")
        return self

    def signal(self, number):
        """Send a signal to all of its processes."""
        os.killpg(self.process.pid, number)

    def running(self):
        """Whether it has not ended."""
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """End it at once."""
        if self.process:
            try:
                self.signal(signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()


def foreign(package):
    """The Foreign that has PACKAGE."""
    suite = {"vhost-device-vsock": "sid"}.get(package, "trixie")
    # What is for use without root, and data for other programs of the package
    return Foreign(package, suite, without=["uidmap", "qemu-system-data"])


def disk_image(directory, size):
    """The path of a disk's image of SIZE bytes in DIRECTORY, which is made if need be."""
    image = Path(directory) / "disk.img"
    if not image.exists():
        with open(image, "wb") as file:
            file.truncate(size)
    return image


class StorageDaemon(Backend):
    """qemu-storage-daemon with one image, and its monitor."""

    def __init__(self, directory, size, queues=1):
        directory = Path(directory)
        self.image = disk_image(directory, size)
        self.monitor = directory / "qmp.sock"
        path = directory / "blk.sock"
        super().__init__("qemu-storage-daemon", directory, foreign("qemu-utils").command(
            "/usr/bin/qemu-storage-daemon",
            "--blockdev", f"driver=file,node-name=file,filename={self.image},discard=unmap",
            "--blockdev", "driver=raw,node-name=disk,file=file,discard=unmap",
            "--export", "type=vhost-user-blk,id=export,node-name=disk,writable=on,"
                        f"num-queues={queues},addr.type=unix,addr.path={path}",
            "--chardev", f"socket,id=monitor,path={self.monitor},server=on,wait=off",
            "--monitor", "chardev=monitor,mode=control"), path, "blk")

    def start(self):
        self.monitor.unlink(missing_ok=True)
        return super().start()

    def execute(self, command, **arguments):
        """One command to the monitor; returns what it returned."""
        with Qmp(self.monitor) as monitor:
            return monitor.execute(command, **arguments)

    def resize(self, size):
        """Make the image SIZE bytes; those who use it are told."""
        self.execute("block_resize", **{"node-name": "disk", "size": size})


def blk(directory, size=128 << 20, queues=1):
    """A disk of SIZE bytes."""
    return StorageDaemon(directory, size, queues)


class RecordingDisk(Backend):
    """vhost-user-blk of QEMU with one image, which has direct I/O: the disk whose backend
    records what is in flight. It ends with the connection."""

    def __init__(self, directory, size):
        self.image = disk_image(directory, size)
        path = Path(directory) / "blk.sock"
        super().__init__("vhost-user-blk", directory,
                         [vhost_user_blk.build(), "--socket-path", path, "--blk-file",
                          self.image], path, "blk")


def recording_blk(directory, size=16 << 20):
    """A disk of SIZE bytes whose backend records what is in flight."""
    return RecordingDisk(directory, size)


def fs(directory, shared, tag=FS_TAG, options=("--cache=auto",)):
    """The directory SHARED, by virtiofsd with OPTIONS."""
    path = Path(directory) / "fs.sock"
    command = foreign("virtiofsd").command(
        "/usr/libexec/virtiofsd", f"--socket-path={path}", f"--shared-dir={shared}",
        "--sandbox=none", *options)
    return Backend("virtiofsd", directory, command, path, f"fs,tag={tag}")


def net(directory, guest_ip=GUEST_IP, host_ip=HOST_IP):
    """A network whose HOST_IP is this machine's loopback, by passt."""
    path = Path(directory) / "net.sock"
    command = foreign("passt").command(
        "/usr/bin/passt", "--foreground", "--vhost-user", "--socket", path, "--ipv4-only",
        "--address", guest_ip, "--netmask", "24", "--gateway", host_ip, "--no-ndp",
        "--dns", "none", "--runas", "0")
    return Backend("passt", directory, command, path, f"net,mac={GUEST_MAC}")


class VsockDevice(Backend):
    """vhost-device-vsock; the host's end of its streams are UNIX sockets."""

    def __init__(self, directory):
        path = Path(directory) / "vsock.sock"
        self.host_path = Path(directory) / "host.vsock"
        command = foreign("vhost-device-vsock").command(
            "/usr/bin/vhost-device-vsock", "--socket", path, "--guest-cid", GUEST_CID,
            "--uds-path", self.host_path)
        super().__init__("vhost-device-vsock", directory, command, path, "vsock")

    def start(self):
        self.host_path.unlink(missing_ok=True)
        return super().start()

    def connect(self, port):
        """A stream to PORT of the guest."""
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(SECONDS)
        line.connect(str(self.host_path))
        line.sendall(f"CONNECT {port}\n".encode())
        answer = b""
        while not answer.endswith(b"\n"):
            byte = line.recv(1)
            if not byte:
                line.close()
                raise say.Error(f"the guest does not listen at vsock port {port}")
            answer += byte
        return line

    def connect_when_ready(self, port):
        """A stream to PORT of the guest, where a server is about to listen."""
        end = time.monotonic() + SECONDS
        while True:
            try:
                return self.connect(port)
            except say.Error:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def listening_path(self, port):
        """The UNIX socket that the guest's streams to PORT of the host come to."""
        return Path(f"{self.host_path}_{port}")

    def listen(self, port):
        """A socket that accepts the guest's streams to PORT of the host."""
        path = self.listening_path(port)
        path.unlink(missing_ok=True)
        server = socket.socket(socket.AF_UNIX)
        server.settimeout(SECONDS)
        server.bind(str(path))
        server.listen()
        return server


def vsock(directory):
    """Streams between guest and host."""
    return VsockDevice(directory)


def cargo():
    """cargo, this machine's or Debian's."""
    found = shutil.which("cargo")
    if found:
        return found
    bookworm = platform.freedesktop_os_release().get("VERSION_CODENAME") == "bookworm"
    debian.install(["rustc-web", "cargo-web"] if bookworm else ["rustc", "cargo"])
    return shutil.which("cargo")


def crate(name):
    """The program of crate NAME, built if need be."""
    path = cache.directory("cargo", name) / CRATES[name]
    with cache.lock(f"cargo-{name}"):
        if not path.exists():
            say.step(f"building {name} {CRATES[name]} with cargo (about two minutes)")
            build_crate(name, path)
    return path


def build_crate(name, result):
    """cargo install, with the crate's own lock file; puts the program at RESULT."""
    progress, done = say.Progress(name, CRATES_EACH), 0

    def count(line):
        nonlocal done
        done += line.lstrip().startswith("Compiling ")
        progress.at(done, "crates")

    debian.install(["gcc", "libc6-dev"])
    work = result.parent / "work"
    say.run(["nice", cargo(), "install", "--locked", "--version", CRATES[name], "--root", work,
             name], f"cargo-{name}", f"building {name}", on_line=count,
            env={**os.environ, "CARGO_TARGET_DIR": str(cache.directory("cargo", "target"))},
            what_to_do="check that cargo reaches crates.io")
    shutil.copy(work / "bin" / name, result)
    shutil.rmtree(work)


def rng(directory, source):
    """Random numbers, which are the bytes of SOURCE."""
    path = Path(directory) / "rng.sock"
    # It appends the number of the socket
    return Backend("vhost-device-rng", directory,
                   [crate("vhost-device-rng"), "--socket-path", path, "--rng-source", source],
                   f"{path}0", "rng")


def scsi(directory, image):
    """A disk with the content of the file IMAGE, to be read."""
    path = Path(directory) / "scsi.sock"
    return Backend("vhost-device-scsi", directory,
                   [crate("vhost-device-scsi"), "--socket-path", path, "--read-only", image],
                   path, "scsi")


def console(directory, port):
    """A console that is TCP port PORT of loopback."""
    path = Path(directory) / "console.sock"
    return Backend("vhost-device-console", directory,
                   [crate("vhost-device-console"), "--socket-path", path, "--backend",
                    "network", "--tcp-port", port], f"{path}0", "console")


def may_be_missing(name):
    """Whether BACKENDS.md lists backend NAME among those that cannot be had everywhere."""
    _, _, section = DOCUMENTED.read_text().partition("## May be missing")
    return any(line.startswith(f"- `{name}`") for line in section.splitlines())


def needed(name, make, *args):
    """make(*args), a Backend. Where it cannot be had, the test is skipped with the
    reason if BACKENDS.md lists the backend, and fails otherwise."""
    try:
        return make(*args)
    except say.Error as problem:
        if may_be_missing(name):
            raise unittest.SkipTest(f"{name} cannot be had: {problem}") from problem
        raise
