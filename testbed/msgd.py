# SPDX-License-Identifier: GPL-2.0-only
"""virtio-msgd: built, started, asked and always ended."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from scripts import cache, debian, say, wait
from testbed.guest import pin_to_one_cpu

SOURCE = say.REPO / "virtio-msgd"
PACKAGES = ["gcc", "meson", "ninja-build", "pkgconf", "libc6-dev", "libevent-dev", "libinih-dev",
            "libjansson-dev", "libseccomp-dev", "libcmocka-dev"]
SECONDS = 10
PLAIN = ("--buildtype=debugoptimized",)
SANITIZED = ("-Db_sanitize=address,undefined", "-Db_lundef=false")


@contextlib.contextmanager
def build_directory(sanitize=False):
    """Where virtio-msgd is built, set up and locked; with SANITIZE as its tests want it."""
    debian.install(PACKAGES)
    name = cache.of_checkout("virtio-msgd-test" if sanitize else "virtio-msgd")
    directory = cache.directory("build") / name
    with cache.lock(f"build-{name}"):
        if not (directory / "build.ninja").exists():
            say.step("building virtio-msgd" + (" with sanitizers" if sanitize else ""))
            shutil.rmtree(directory, ignore_errors=True)
            say.run(["meson", "setup", directory, SOURCE, *(SANITIZED if sanitize else PLAIN)],
                    "msgd-setup", "configuring virtio-msgd")
        yield directory


def build(sanitize=False):
    """Build what is not up to date; returns the program's path."""
    with build_directory(sanitize) as directory:
        targets = ["virtio-msgd"] if sanitize else []
        say.run(["ninja", "-C", directory, *targets], "msgd-build", "building virtio-msgd")
    return directory / "virtio-msgd"


def stat(pid):
    """The fields of /proc/PID/stat after the name; the first is the state. None: it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def group(number):
    """The processes of a process group that are alive."""
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids
            if (fields := stat(pid)) and int(fields[2]) == number and fields[0] != "Z"]


def children(pid):
    """The processes whose parent is PID."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def words_of(window):
    """What a window is for the command line: it may be a list of it and of more devices."""
    first, *slots = [window] if isinstance(window, str) else window
    return ["--window", first, *(word for slot in slots for word in ("--slot", slot))]


class Msgd:
    """One virtio-msgd that waits for a guest at DIRECTORY/msgd.sock.

    WINDOWS has the text of one --window option each, or a list of that and of --slot options,
    GUESTS those of more guests, by the name of their sockets in DIRECTORY, and VMMS those of
    functions for VMMs, where options may be behind that name. With VMMS and no WINDOWS there
    is no msgd.sock. BEFORE: what its command begins with. Its standard
    error goes to a log, unless STDERR is a file.
    """

    def __init__(self, program, directory, windows, options=(), guests=None, before=(),
                 stderr=None, env=None, place=pin_to_one_cpu, vmms=None):
        self.program = program
        self.directory = Path(directory).resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.windows, self.options = list(windows), list(options)
        self.guests, self.vmms = dict(guests or {}), dict(vmms or {})
        self.before, self.stderr, self.place = list(before), stderr, place
        self.env = {**os.environ, **(env or {})}
        self.socket = self.directory / "msgd.sock"
        self.control_socket = self.directory / "control.sock"
        self.log_file = self.directory / "msgd.log"
        self.process = None
        # Of processes of guests that a parent left: they have its group
        self.left = []

    def command(self):
        """What starts it."""
        command = [*self.before, self.program]
        first = {} if self.vmms and not self.windows else {self.socket.name: self.windows}
        for kind, name, windows in (*(("--uml", *each) for each in first.items()),
                                    *(("--uml", *each) for each in self.guests.items()),
                                    *(("--vfio-user", *each) for each in self.vmms.items())):
            command += [kind, self.directory / name]
            for window in windows:
                command += words_of(window)
        return [str(word) for word in (*command, "--listen", self.control_socket,
                                       *self.options)]

    def start(self):
        """Start it; returns when it serves, with the processes that crash() left."""
        self.control_socket.unlink(missing_ok=True)
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=self.stderr or subprocess.STDOUT,
                                            env=self.env, start_new_session=True,
                                            preexec_fn=self.place)
        if wait.until(self.beginning, SECONDS, 0.01) != "serves":
            self.kill()
            raise say.Error(f"virtio-msgd does not start (log: {self.log_file})\n"
                            f"{say.last_lines(self.log_file)}")
        return self

    def beginning(self):
        """How far the process is that was started; None: it has just begun."""
        if self.serves():
            return "serves"
        return None if self.process.poll() is None else "has ended"

    def serves(self):
        """Whether it answers at its control socket."""
        try:
            self.ask("list")
        except OSError:
            return False
        return True

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def client(self, seconds=SECONDS):
        """A connection to the control socket, with a deadline."""
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(seconds)
        try:
            line.connect(str(self.control_socket))
        except OSError:
            line.close()
            raise
        return line

    def ask(self, command, window=None, **params):
        """Send a command; returns its result. Raises OSError, or Error if it is refused."""
        request = {"command": command}
        if window is not None:
            request["window"] = window
        if params:
            request["params"] = params
        with self.client() as line, line.makefile("rw") as stream:
            stream.write(json.dumps(request) + "\n")
            stream.flush()
            answer = stream.readline()
        if not answer:
            raise ConnectionError("virtio-msgd has closed the connection")
        answer = json.loads(answer)
        if "error" in answer:
            raise say.Error(answer["error"])
        return answer["ok"]

    def control(self, *command):
        """Run one command over the control socket; returns what it printed."""
        return say.output([self.program, "--control", self.control_socket, *command],
                          timeout=SECONDS)

    def counters(self, window=0):
        """What window WINDOW's driver and device did so far."""
        carrier = json.loads(self.control("counters"))["carriers"][0]
        return carrier["windows"][window]

    @property
    def pid(self):
        """virtio-msgd itself, not what its command begins with."""
        return children(self.process.pid)[0] if self.before else self.process.pid

    def processes(self):
        """{name of the guest's socket: its process}, of those that this parent started."""
        found = {}
        for child in children(self.pid):
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            for kind in {b"--uml", b"--vfio-user"} & set(words):
                path = words[words.index(kind) + 1].removeprefix(b"path=").partition(b",")[0]
                found[os.fsdecode(os.path.basename(path))] = child
        return found

    def log(self):
        """What it logged."""
        return self.log_file.read_text(errors="replace")

    def stop(self):
        """End it as a service manager would; returns its exit status."""
        os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(SECONDS)

    def crash(self):
        """Kill the parent only: the guests' processes go on, until the next start() or kill()."""
        self.left.append(self.process.pid)
        self.process.kill()
        self.process.wait()

    def kill(self):
        """End it and all processes of guests at once."""
        if not self.process:
            return
        groups = [self.process.pid, *self.left]
        for each in groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(each, signal.SIGKILL)
        self.process.wait()
        self.left.clear()
        wait.until(lambda: not any(group(each) for each in groups), SECONDS, 0.01)
