# SPDX-License-Identifier: GPL-2.0-only
"""virtio-msgd and vhost-user backends as processes in Dom0."""

import json

from testbed.xen.machine import Failed

CONTROL = "/run/virtio-msgd/control"
LOG = "/var/log/virtio-msgd.log"
# The rule for the built-in devices
BUILT_IN = ("entry=device22,device=i2c", "entry=device4,device=rng")


class Service:
    """virtio-msgd with RULES, each what --xen takes, and more OPTIONS; use with `with`."""

    def __init__(self, machine, rules=BUILT_IN, log=LOG, options=""):
        self.machine = machine
        self.rules = rules
        self.options = options
        self.log_file = log

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Start it; returns when it answers."""
        options = " ".join(f"--xen '{rule}'" for rule in self.rules)
        self.machine.run(f"rm -f {CONTROL}; virtio-msgd {options} {self.options} "
                         f"--listen {CONTROL} "
                         f">>{self.log_file} 2>&1 & echo $! >/run/virtio-msgd/pid")
        try:
            self.machine.wait(f"virtio-msgd --control {CONTROL} list", 30,
                              "the start of virtio-msgd")
        except Failed as problem:
            raise Failed(f"virtio-msgd did not start, it said:\n{self.log()}") from problem

    def stop(self, signal="TERM"):
        """End it with its processes of guests, with SIGTERM or another signal, and wait
        for their end."""
        whom = "killall -q" if signal == "KILL" else "kill"
        who = "virtio-msgd" if signal == "KILL" else "$(cat /run/virtio-msgd/pid)"
        self.machine.run(f"{whom} -{signal} {who}; while killall -0 virtio-msgd 2>/dev/null; do "
                         "usleep 20000; done")

    def crash(self):
        """Kill the parent only; the processes of guests go on."""
        self.machine.run("kill -KILL $(cat /run/virtio-msgd/pid)")

    def guest_pids(self):
        """The processes of guests."""
        return self.machine.run("for pid in $(pidof virtio-msgd); do "
                                "test $pid = $(cat /run/virtio-msgd/pid) || echo $pid; done").split()

    def kill_guests(self):
        """Kill the processes of guests, which the parent starts again."""
        self.machine.run(f"kill -KILL {' '.join(self.guest_pids())}")

    def control(self, *words):
        """The answer to a command on its control socket."""
        return json.loads(self.machine.run(
            f"virtio-msgd --control {CONTROL} {' '.join(words)}"))

    def carriers(self):
        """{carrier's name: its windows}."""
        return {each["name"]: each["windows"] for each in self.control("list")["carriers"]}

    def counters(self, guest="domu", index=0):
        """What one device of a guest took."""
        name = f"xen:{guest}/{index}"
        [carrier] = [each for each in self.control("counters")["carriers"]
                     if each["name"] == name]
        return carrier["windows"][0]

    def log(self):
        """What it has said."""
        return self.machine.run(f"cat {self.log_file}")


class VhostDevice:
    """A program of rust-vmm's vhost-device as a backend for one guest; use with `with`.

    It is started again when it ends. It always does when its guest lets go of it:
    it closes gntdev before it unmaps the rings, whose failure it takes for a bug.
    Two of the same kind need a NAME each.
    """

    program = kind = entry = ""

    def __init__(self, machine, name=""):
        self.machine = machine
        self.socket = f"/run/{self.program}{name}.sock"
        self.log_file = f"/var/log/{self.program}{name}.log"
        self.pid_file = f"/run/{self.program}{name}.pid"

    @property
    def rule(self):
        """What virtio-msgd's --xen takes for it."""
        # The socket's name has the number of the guest at its end
        return f"entry={self.entry},device=vhost-user,type={self.kind},socket={self.socket}0"

    def arguments(self):
        """What it takes on its command line besides the socket."""
        return ""

    def __enter__(self):
        command = (f"{self.program} --socket-path {self.socket} --socket-count 1 "
                   f"{self.arguments()}")
        self.machine.run(
            f"rm -f {self.log_file}; (while :; do {command} & echo $! >{self.pid_file}; wait $!; "
            f"usleep 200000; done >>{self.log_file} 2>&1) & echo $! >{self.pid_file}.loop")
        # Its socket is gone again once virtio-msgd has connected
        self.machine.wait(f"kill -0 $(cat {self.pid_file}) || {{ cat {self.log_file}; false; }}",
                          30, f"the start of {self.program}")
        return self

    def __exit__(self, *_):
        self.machine.run(f"kill -9 $(cat {self.pid_file}.loop) $(cat {self.pid_file}); "
                         f"rm -f {self.socket}0", check=False)

    @property
    def pid(self):
        """The number of the process that is running now."""
        return int(self.machine.run(f"cat {self.pid_file}"))

    def signal(self, name):
        """Send a signal to it; after KILL it is started again."""
        self.machine.run(f"kill -{name} {self.pid}")

    def log(self):
        """What it has said."""
        return self.machine.run(f"cat {self.log_file}")


class I2cBackend(VhostDevice):
    """vhost-device-i2c on Dom0's bus with the DS1338."""

    program, kind, entry = "vhost-device-i2c", "i2c", "device22"
    BUS = "radeonfb dvi"
    ADDRESS = 0x68

    def arguments(self):
        return f"--device-list '{self.BUS}:{self.ADDRESS}'"

    @property
    def bus(self):
        """The bus's number in Dom0."""
        path = self.machine.run(f"grep -lx '{self.BUS}' /sys/bus/i2c/devices/i2c-*/name")
        return int(path.split("/")[-2].removeprefix("i2c-"))

    def byte(self, register=0x10):
        """A byte of the clock's NVRAM, read in Dom0."""
        return int(self.machine.run(f"i2cget -fy {self.bus} {self.ADDRESS:#x} {register:#x}"), 16)


class RngBackend(VhostDevice):
    """vhost-device-rng, whose random numbers are a file of lines that count."""

    program, kind, entry = "vhost-device-rng", "rng", "device4"
    SOURCE = "/run/rng-source"
    LINES = 99999

    def __enter__(self):
        self.machine.run(f"seq -w 1 {self.LINES} >{self.SOURCE}")
        return super().__enter__()

    def arguments(self):
        return f"--rng-source {self.SOURCE}"
