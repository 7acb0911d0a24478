# SPDX-License-Identifier: GPL-2.0-only
"""make bench-qemu: virtio-msg over PCI beside QEMU's own virtio-pci, in one guest of QEMU.

    make bench-qemu                      count accesses and interrupts, measure times
    make bench-qemu ARGS=--rounds=20     more rounds

A disk is by the same backend on both (vhost-user-blk-pci has one qemu-storage-daemon, virtio-msgd
another one); random numbers are virtio-msgd's own on one and virtio-rng-pci's on the other.
Without KVM: the guest's CPUs are two threads that translate its code.
"""

import argparse
import contextlib
import re
from pathlib import Path

from bench import report, stats
from bench.counts import describe, even, kick_traps, registers
from scripts import say
from testbed import backends, load
from testbed.bed import run_directory
from testbed.qemu.bed import DRIVER, Bed

OUT = say.REPO / "out"
ROUNDS = 7
MSG, PCI = "virtio-msg-pci", "virtio-pci"
NAMES = (PCI, MSG)
SIZE = 16 << 20
COUNT, QUEUED = 400, 3200
DEEP = 32
# Loads of Magic while a function is bound: is it there, and behind the posted store to Page
LOOKS = 2
# Operations that load does before it measures
WARM_UP = 64
LOAD_SECONDS = 120
# Where QEMU puts them: behind the functions, which are first
PCI_DEVICES = {"rng": "0000:00:03.0", "blk": "0000:00:04.0"}


def own_devices(disk):
    """QEMU's options for its own devices; DISK: the socket of a backend."""
    return ["-object", "rng-random,id=random,filename=/dev/urandom",
            "-chardev", f"socket,id=disk,path={disk}",
            "-device", "virtio-rng-pci,rng=random,disable-legacy=on,addr=3",
            "-device", "vhost-user-blk-pci,chardev=disk,num-queues=1,queue-size=256,"
                       "disable-legacy=on,addr=4"]


class Machine:
    """The guest, with each device twice."""

    def __init__(self):
        self.disks = {name: backends.blk(run_directory(f"bench-qemu/{name}"), SIZE)
                      for name in NAMES}
        # The program is not of the package, but built with it
        self.program = str(load.build())
        window = f"{self.disks[MSG].window},queue-size=256"
        self.stack = contextlib.ExitStack()
        self.bed = Bed("bench-qemu/guest", {"rng": ["device=rng"], "blk": [window]},
                       ("virtio_pci", "virtio_rng", "virtio_blk"),
                       {"libc6-dev": [self.program]}, own_devices(self.disks[PCI].socket))
        self.guest = self.bed.guest

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            for disk in self.disks.values():
                stack.enter_context(disk)
            stack.enter_context(self.bed)
            self.bed.load()
            self.devices = {PCI: PCI_DEVICES, MSG: self.bed.functions()}
            for name in NAMES:
                self.disk(name)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def disk(self, name):
        """The disk of NAME, when it is there."""
        path = f"/sys/bus/pci/devices/{self.devices[name]['blk']}/virtio*/block/vd*"
        return self.guest.wait_for(f"ls -d {path}").strip().rpartition("/")[2]

    def load(self, words):
        """The numbers that load prints."""
        output = self.guest.check(f"{self.program} {words}", LOAD_SECONDS)
        return [int(line) for line in output.split()]

    def interrupts(self, name, device):
        """Interrupts of a device so far, on all its vectors and CPUs."""
        text = self.guest.check(f"cd /sys/bus/pci/devices/{self.devices[name][device]}/msi_irqs && "
                                "for i in *; do grep \"^ *$i:\" /proc/interrupts; done")
        return sum(int(word) for line in text.splitlines()
                   for word in re.match(r" *\d+:((?: +\d+)+)", line)[1].split())

    def choose(self, name):
        """Random numbers come from NAME's device: the bus was loaded when the other was there."""
        self.guest.check(f"echo virtio_rng.{NAMES.index(name)} > "
                         "/sys/class/misc/hw_random/rng_current")

    def bind(self, device):
        """Bind a function's driver again; the counters of that."""
        function = self.devices[MSG][device]
        self.guest.check(f"echo {function} > {DRIVER}/unbind")
        self.bed.msgd.control("counters-reset")
        self.guest.check(f"echo {function} > {DRIVER}/bind")
        self.guest.wait_for(f"test -e /sys/bus/pci/devices/{function}/virtio*/driver")
        return self.bed.counters(device)


def bring_up(machine, device):
    """Accesses from bind to the first kick. Those of a response that the driver did not find at
    once, because this machine was busy, are told apart: they are loads of Magic."""
    counters = machine.bind(device)
    kicks = counters["kicks"]
    if kicks > 1 and device == "rng":
        raise say.Error(f"{kicks} kicks while the function is bound: something uses it at once",
                        describe(counters))
    waited = registers(counters)["Magic"] - LOOKS
    return {f"bring up {device}": counters["traps"]["total"] - waited - kick_traps(counters)
            + min(kicks, 1), f"bring up {device}, more while it waited": waited}


def per_read(machine):
    """What a read of the disk is, one at a time and many: on virtio-msg its accesses and kicks,
    on both the interrupts."""
    found = {MSG: {}, PCI: {}}
    for name in NAMES:
        disk = machine.disk(name)
        for depth, words, reads in ((1, f"disk /dev/{disk} {COUNT}", COUNT + WARM_UP),
                                    (DEEP, f"queue /dev/{disk} {DEEP} {QUEUED}",
                                     QUEUED + WARM_UP)):
            machine.bed.msgd.control("counters-reset")
            before = machine.interrupts(name, "blk")
            machine.load(words)
            got = machine.interrupts(name, "blk") - before
            found[name][f"interrupts per read, depth {depth}"] = got / reads
            if name == MSG:
                counters = machine.bed.counters("blk")
                found[name][f"kicks per read, depth {depth}"] = counters["kicks"] / reads
                found[name][f"accesses per kick, depth {depth}"] = even(
                    counters["traps"]["total"], counters["kicks"], "kicks", counters)
    return found


def count(machine):
    """{name: {figure: number}}"""
    found = per_read(machine)
    for device in ("rng", "blk"):
        found[MSG] |= bring_up(machine, device)
    return found


def times(machine, name):
    """One turn of NAME: {figure: value}."""
    node = f"/dev/{machine.disk(name)}"
    one = machine.load(f"disk {node} {COUNT}")
    many = machine.load(f"queue {node} {DEEP} {QUEUED}")
    machine.choose(name)
    random = machine.load(f"file /dev/hwrng {COUNT}")
    return {"blk median us": stats.percentile(sorted(one[1:]), 50) / 1000,
            f"blk per s at depth {DEEP}": QUEUED * 1e9 / many[0],
            "rng us": random[0] / 1000 / COUNT}


def run_rounds(machine, number):
    """NUMBER rounds, in which the two take turns; a list of {name: figures}."""
    progress, rounds = say.Progress("measuring", number), []
    for at in range(number):
        rounds.append({name: times(machine, name) for name in NAMES[::(-1) ** at]})
        progress.at(at + 1, "rounds")
    return rounds


def count_table(counted):
    """Lines with what was counted."""
    rows = [[figure, *(f"{counted[name][figure]:g}" if figure in counted[name] else "-"
                       for name in NAMES)] for figure in counted[MSG]]
    return report.table(["counted", *NAMES], rows)


def time_table(rounds):
    """Lines with the ratios, and their spread over ROUNDS."""
    rows = []
    for figure in rounds[0][MSG]:
        ratio, low, high = stats.spread(stats.ratios(rounds, MSG, PCI, figure))
        rows.append([figure, f"{stats.middle(rounds, PCI, figure):.0f}",
                     f"x {ratio:.2f} ({low:.2f} to {high:.2f})"])
    return report.table([f"{len(rounds)} rounds", *NAMES], rows)


def main(args):
    """The command."""
    parser = argparse.ArgumentParser(prog="make bench-qemu",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often times are taken")
    parser.add_argument("--out", type=Path, default=OUT, help="directory of the results")
    options = parser.parse_args(args)
    say.step("getting virtio-msgd, QEMU, Debian's kernel and the modules ready")
    with Machine() as machine:
        say.step("counting")
        counted = count(machine)
        say.step(f"measuring times, {options.rounds} rounds")
        rounds = run_rounds(machine, options.rounds)
        problems = machine.guest.splats()
        if problems:
            raise say.Error("the guest's kernel complained:\n" + "\n".join(problems),
                            f"console: {machine.guest.console_file}")
        machine.guest.halt()
    path = options.out.resolve() / "bench-qemu.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    report.write(path, {"counted": counted, "rounds": rounds})
    for lines in (count_table(counted), time_table(rounds), [f"figures: {path}"]):
        print("\n" + "\n".join(lines), flush=True)
    return 0
