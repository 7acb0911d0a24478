# SPDX-License-Identifier: GPL-2.0-only
"""virtio-msgd and vhost-user backends as processes in Dom0."""

import json

from testbed.xen.machine import Failed

CONTROL = "/run/virtio-msgd/control"
LOG = "/var/log/virtio-msgd.log"
# The rule for the built-in devices
BUILT_IN = ("entry=device22,device=i2c", "entry=device4,device=rng")


class Service:
    """virtio-msgd with RULES, each what --xen takes; use with `with`."""

    def __init__(self, machine, rules=BUILT_IN, log=LOG):
        self.machine = machine
        self.rules = rules
        self.log_file = log

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Start it; returns when it answers."""
        options = " ".join(f"--xen '{rule}'" for rule in self.rules)
        self.machine.run(f"rm -f {CONTROL}; virtio-msgd {options} --listen {CONTROL} "
                         f">>{self.log_file} 2>&1 & echo $! >/run/virtio-msgd/pid")
        try:
            self.machine.wait(f"virtio-msgd --control {CONTROL} list", 30,
                              "the start of virtio-msgd")
        except Failed as problem:
            raise Failed(f"virtio-msgd did not start, it said:\n{self.log()}") from problem

    def stop(self, signal="TERM"):
        """End it, with SIGTERM or another signal, and wait for its end."""
        self.machine.run(f"kill -{signal} $(cat /run/virtio-msgd/pid); "
                         "while kill -0 $(cat /run/virtio-msgd/pid) 2>/dev/null; do "
                         "usleep 20000; done")

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


class I2cBackend:
    """vhost-device-i2c on Dom0's bus with the DS1338; use with `with`.

    It is started again when it ends. It always does when its guest lets go of it:
    it closes gntdev before it unmaps the rings, whose failure it takes for a bug.
    """

    SOCKET = "/run/vhost-device-i2c.sock"
    LOG = "/var/log/vhost-device-i2c.log"
    BUS = "radeonfb dvi"
    ADDRESS = 0x68
    # The socket's name has the number of the guest at its end
    RULE = f"entry=device22,device=vhost-user,type=i2c,socket={SOCKET}0"

    def __init__(self, machine):
        self.machine = machine

    @property
    def bus(self):
        """The bus's number in Dom0."""
        path = self.machine.run(f"grep -lx '{self.BUS}' /sys/bus/i2c/devices/i2c-*/name")
        return int(path.split("/")[-2].removeprefix("i2c-"))

    def __enter__(self):
        self.machine.run(
            f"rm -f {self.LOG}; (while :; do vhost-device-i2c --socket-path {self.SOCKET} "
            f"--socket-count 1 --device-list '{self.BUS}:{self.ADDRESS}'; usleep 200000; "
            f"done >>{self.LOG} 2>&1) & echo $! >/run/i2c-backend.pid")
        # Its socket is gone again once virtio-msgd has connected
        self.machine.wait(f"pidof vhost-device-i2c || {{ cat {self.LOG}; false; }}", 30,
                          "the start of vhost-device-i2c")
        return self

    def __exit__(self, *_):
        self.machine.run("kill $(cat /run/i2c-backend.pid); killall -9 vhost-device-i2c; "
                         f"rm -f {self.SOCKET}0", check=False)

    def log(self):
        """What it has said."""
        return self.machine.run(f"cat {self.LOG}")
