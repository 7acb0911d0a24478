# SPDX-License-Identifier: GPL-2.0-only
"""virtio-msgd: built, started, asked and always ended."""

import json
import os
import subprocess
import time
from pathlib import Path

from scripts import cache, debian, say
from testbed.guest import pin_to_one_cpu

SOURCE = say.REPO / "virtio-msgd"
PACKAGES = ["gcc", "meson", "ninja-build", "pkgconf", "libc6-dev", "libevent-dev", "libinih-dev",
            "libjansson-dev", "libseccomp-dev", "libcmocka-dev"]
SECONDS = 10


def build():
    """Build what is not up to date; returns the program's path."""
    debian.install(PACKAGES)
    name = cache.of_checkout("virtio-msgd")
    directory = cache.directory("build", name)
    with cache.lock(f"build-{name}"):
        if not (directory / "build.ninja").exists():
            say.step("building virtio-msgd")
            say.run(["meson", "setup", directory, SOURCE, "--buildtype=debugoptimized"],
                    "msgd-setup", "configuring virtio-msgd")
        say.run(["ninja", "-C", directory], "msgd-build", "building virtio-msgd")
    return directory / "virtio-msgd"


class Msgd:
    """One virtio-msgd that waits for a guest at DIRECTORY/msgd.sock.

    WINDOWS has the text of one --window option each.
    """

    def __init__(self, program, directory, windows, options=()):
        self.program = program
        self.directory = Path(directory).resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.windows, self.options = list(windows), list(options)
        self.socket = self.directory / "msgd.sock"
        self.control_socket = self.directory / "control.sock"
        self.log_file = self.directory / "msgd.log"
        self.process = None

    def start(self):
        """Start it; returns when it can be connected to."""
        for path in (self.socket, self.control_socket):
            path.unlink(missing_ok=True)
        command = [self.program, "--uml", self.socket]
        for window in self.windows:
            command += ["--window", window]
        command += ["--listen", self.control_socket, *self.options]
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen([str(word) for word in command],
                                            stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, start_new_session=True,
                                            preexec_fn=pin_to_one_cpu)
        end = time.monotonic() + SECONDS
        while not (self.socket.exists() and self.control_socket.exists()):
            if self.process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise say.Error(f"virtio-msgd does not start (log: {self.log_file})\n"
                                f"{say.last_lines(self.log_file)}")
            time.sleep(0.01)
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def control(self, *command):
        """Run one command over the control socket; returns what it printed."""
        return say.output([self.program, "--control", self.control_socket, *command],
                          timeout=SECONDS)

    def counters(self, window=0):
        """What window WINDOW's driver and device did so far."""
        [carrier] = json.loads(self.control("counters"))["carriers"]
        return carrier["windows"][window]

    def log(self):
        """What it logged."""
        return self.log_file.read_text(errors="replace")

    def stop(self):
        """End it as a service manager would; returns its exit status."""
        self.process.terminate()
        return self.process.wait(SECONDS)

    def kill(self):
        """End it at once."""
        if self.process:
            self.process.kill()
            self.process.wait()
