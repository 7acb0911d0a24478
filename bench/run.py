# SPDX-License-Identifier: GPL-2.0-only
"""make bench: virtio-mmio and virtio-msg side by side, in one guest.

    make bench                     count traps, measure times, in some two minutes
    make bench ARGS=--rounds=50    more rounds
    make bench ARGS=--no-backend   without the part with qemu-storage-daemon
    make bench ARGS=--verbose      show where all traps go
"""

import argparse
import time
from pathlib import Path

from bench import measure, peers, report
from bench.machine import Machine
from bench.transports import TRANSPORTS
from scripts import debian, say

OUT = say.REPO / "out"
ROUNDS = 15
# Of Debian, so with Debian's Python
PYTHON = "/usr/bin/python3"


def count(machine):
    """Traps of all transports: figures, phases, 32-bit figures, each {transport: …}."""
    counted, phases, narrow = {}, {}, {}
    for transport in TRANSPORTS:
        say.note(f"{transport.name}")
        counted[transport.name], phases[transport.name] = measure.count(machine, transport)
        narrow[transport.name] = measure.narrow(phases[transport.name], transport)
    return counted, phases, narrow


def run_rounds(machine, number):
    """NUMBER rounds, in each of which all transports take turns; a list of {transport: {…}}."""
    progress = say.Progress("measuring", number)
    rounds = []
    for at in range(number):
        # Another one goes first each time
        order = TRANSPORTS[at % len(TRANSPORTS):] + TRANSPORTS[:at % len(TRANSPORTS)]
        rounds.append({transport.name: measure.time(machine, transport)
                       for transport in order})
        progress.at(at + 1, "rounds")
    return rounds


def with_backend(options):
    """The same with a backend that others wrote, and UML's own driver as one more peer."""
    say.step(f"measuring times with {peers.BACKEND}, {options.rounds} rounds")
    rounds = peers.run(options.base, options.rounds)
    show([f"A disk by {peers.BACKEND}, through virtio-msgd, and by virtio_uml without it:", ""]
         + report.time_table(rounds))
    path = options.out.resolve() / "bench-backends.json"
    report.write(path, report.backend_summary(peers.BACKEND, rounds))
    show([f"figures: {path}"])


def show(lines):
    """A part of the output."""
    print("\n" + "\n".join(lines), flush=True)


def finish(counted, phases, narrow, rounds, options):
    """Tables on the screen, files in the directory that OPTIONS name."""
    out = options.out.resolve()
    show(report.count_table(counted, narrow))
    show(report.time_table(rounds))
    goals_missed = report.missed(counted, rounds)
    if goals_missed:
        show(["Not reached:", *goals_missed])
    if options.verbose or goals_missed:
        show(["Where the traps go"])
        for name, each in phases.items():
            show(report.phase_table(each, name))

    out.mkdir(parents=True, exist_ok=True)
    report.write(out / "bench.json", report.summary(counted, rounds))
    details = out / "bench-details.json"
    report.write(details, {"counts": {name: report.flat(each) for name, each in counted.items()},
                           "counts_32_bit": narrow, "phases": phases, "rounds": rounds})
    debian.install(["python3", "python3-matplotlib"])
    say.run([PYTHON, "-m", "bench.plot", details, out / "bench.png"], "bench-plot",
            "drawing the plot", cwd=say.REPO)
    show([f"figures: {out / 'bench.json'}", f"plot:    {out / 'bench.png'}",
          f"details: {details}"])


def main(args):
    """The command."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="mainline", help="mainline, lts or a kernel tree")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often times are taken")
    parser.add_argument("--backend", action=argparse.BooleanOptionalAction, default=True,
                        help=f"measure a disk by {peers.BACKEND}, too")
    parser.add_argument("--verbose", action="store_true", help="show where all traps go")
    parser.add_argument("--out", type=Path, default=OUT, help="where the results go (out/)")
    options = parser.parse_args(args)
    if options.rounds < 1:
        raise say.Error("--rounds: at least 1 is needed")
    started = time.monotonic()
    say.step("getting virtio-msgd and the guest kernel ready")
    with Machine("bench", options.base) as machine:
        say.note(f"Linux {machine.guest.check('uname -r').strip()} is up, guest and virtio-msgd on "
                 f"one CPU, {'with' if machine.realtime else 'without'} real-time priority")
        say.step("counting traps")
        counted, phases, narrow = count(machine)
        say.step(f"measuring times, {options.rounds} rounds")
        rounds = run_rounds(machine, options.rounds)
        problems = machine.guest.splats()
        if problems:
            raise say.Error("the guest's kernel complained:\n" + "\n".join(problems),
                            f"console: {machine.guest.console_file}")
        machine.guest.halt()
    finish(counted, phases, narrow, rounds, options)
    if options.backend:
        with_backend(options)
    print(f"\ndone in {time.monotonic() - started:.0f} s")
    return 0
