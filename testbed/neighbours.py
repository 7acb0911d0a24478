# SPDX-License-Identifier: GPL-2.0-only
"""Neighbours as processes: what they do is not done at the expense of who looks at the clock.

    python3 -m testbed.neighbours KIND DIRECTORY NAME SEED

is one of them, with its backends, until its standard input ends.
"""

import signal
import subprocess
import sys
import threading
from pathlib import Path

from scripts import say
from testbed.fake_guest import FakeGuest
from testbed.neighbour_kinds import KINDS

SECONDS = 60
MEMORY = 8 << 20


def backend_paths(kind, directory, name):
    """Where the backends of neighbour NAME listen."""
    return [Path(directory) / f"{name}-backend-{number}"
            for number, window in enumerate(KINDS[kind].windows) if "{backend}" in window]


def windows(kind, directory, name):
    """virtio-msgd's options for the guest NAME of this KIND."""
    left = iter(backend_paths(kind, directory, name))
    return [window.format(backend=next(left)) if "{backend}" in window else window
            for window in KINDS[kind].windows]


class Neighbour:
    """One of KIND, in a process that place() puts where it shall be; it begins with start().

    It is the guest at the socket NAME in DIRECTORY.
    """

    def __init__(self, kind, directory, name, seed=0, place=None):
        self.kind, self.directory, self.name, self.place = kind, Path(directory), name, place
        self.words = [sys.executable, "-m", "testbed.neighbours", kind, str(directory), name,
                      str(seed)]
        self.log_file = self.directory / f"{name}.log"
        self.process = None

    @property
    def windows(self):
        """virtio-msgd's options."""
        return windows(self.kind, self.directory, self.name)

    def start(self):
        """Returns when it is at work."""
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(self.words, stdin=subprocess.PIPE, text=True,
                                            stdout=subprocess.PIPE, stderr=log, cwd=say.REPO,
                                            preexec_fn=self.place)
        if not self.process.stdout.readline():
            self.process.communicate()
            self.fail("does not start")
        return self

    def stop(self):
        """End it; returns how many steps it made."""
        said, _ = self.process.communicate(timeout=SECONDS)
        if self.process.returncode:
            self.fail("has failed")
        return int(said)

    def kill(self):
        """End it, whatever it does."""
        if self.process:
            self.process.kill()
            self.process.communicate()

    def fail(self, what):
        """It did not do what it is for."""
        raise say.Error(f"neighbour {self.name} ({self.kind}) {what} (log: {self.log_file})\n"
                        f"{say.last_lines(self.log_file)}")


# Its process

class Over(Exception):
    """It is told to end."""


def on_signal(*_):
    """SIGTERM"""
    raise Over


def wait_for_end(thread):
    """Until nobody holds the other end of standard input; then THREAD is told."""
    sys.stdin.read()
    signal.pthread_kill(thread, signal.SIGTERM)


def main(kind, directory, name, seed):
    """One neighbour's life."""
    made, seed, steps = KINDS[kind], int(seed), 0
    signal.signal(signal.SIGTERM, on_signal)
    threading.Thread(target=wait_for_end, args=[threading.main_thread().ident],
                     daemon=True).start()
    try:
        backends = [made.backend(path, seed + at).start()
                    for at, path in enumerate(backend_paths(kind, directory, name))]
        guest = FakeGuest(Path(directory) / name, MEMORY, len(made.windows), SECONDS)
        # The device side may have to bury another one first
        neighbour = made(guest.connect_soon(), backends, seed)
        print("ready", flush=True)
        while True:
            neighbour.step()
            steps += 1
    except Over:
        print(steps)


if __name__ == "__main__":
    main(*sys.argv[1:])
