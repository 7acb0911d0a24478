# SPDX-License-Identifier: GPL-2.0-only
"""make bench: virtio-mmio and virtio-msg side by side, in one guest.

    make bench                        count traps, measure times, in about three minutes
    make bench ARGS=--rounds=50       more rounds
    make bench ARGS=--no-backend      without the part with backends that others wrote
    make bench ARGS=--backend=fs,net  only that part, and only with these devices
    make bench ARGS=--verbose         show where all traps go
    make bench-xen                    the same in a guest under Xen, in QEMU
"""

import argparse
import time
from pathlib import Path

from bench import measure, peers, report
from bench.devices import DEVICES
from bench.transports import TRANSPORTS
from bench.uml import Uml
from bench.xen import Xen
from scripts import debian, say
from testbed.xen.chain import Chain

OUT = say.REPO / "out"
ROUNDS = 15
XEN_ROUNDS = 7
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


def run(machine, name, title, options):
    """All that is done with a running MACHINE; NAME: of the files, TITLE: of the plot."""
    say.step("counting traps")
    counted, phases, narrow = count(machine)
    say.step(f"measuring times, {options.rounds} rounds")
    rounds = run_rounds(machine, options.rounds)
    problems = machine.splats()
    if problems:
        raise say.Error("the guest's kernel complained:\n" + "\n".join(problems))

    show(report.count_table(counted, narrow))
    show(report.time_table(rounds))
    goals_missed = report.missed(counted, rounds, machine.time_goal)
    if goals_missed:
        show(["Not reached:", *goals_missed])
    if options.verbose or goals_missed:
        show(["Where the traps go"])
        for transport, each in phases.items():
            show(report.phase_table(each, transport))
    write(name, report.summary(counted, rounds), {
        "title": f"virtio-mmio and virtio-msg side by side: {title}, {len(rounds)} interleaved "
                 "rounds",
        "counts": {transport: report.flat(each) for transport, each in counted.items()},
        "counts_32_bit": narrow, "phases": phases, "rounds": rounds}, options.out.resolve())


def write(name, summary, details, out):
    """The files called NAME in the directory OUT."""
    out.mkdir(parents=True, exist_ok=True)
    figures, all_of_it, plot = (out / f"{name}{end}" for end in (".json", "-details.json", ".png"))
    report.write(figures, summary)
    report.write(all_of_it, details)
    debian.install(["python3", "python3-matplotlib"])
    say.run([PYTHON, "-m", "bench.plot", all_of_it, plot], "bench-plot", "drawing the plot",
            cwd=say.REPO)
    show([f"figures: {figures}", f"plot:    {plot}", f"details: {all_of_it}"])


def without_backend(options):
    """Traps and times of virtio-msgd's own devices."""
    say.step("getting virtio-msgd and the guest kernel ready")
    with Uml("bench", options.base) as machine:
        say.note(f"Linux {machine.check('uname -r').strip()} is up, guest and virtio-msgd on "
                 f"one CPU, {'with' if machine.realtime else 'without'} real-time priority")
        run(machine, "bench", "one User Mode Linux guest, one device side", options)
        machine.guest.halt()


def with_backends(names, options):
    """The same with backends that others wrote, and UML's own driver as one more peer."""
    path = options.out.resolve() / "bench-backends.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = {}
    for name in names:
        device = DEVICES[name]()
        say.step(f"measuring times with {device.backend} ({name}), {options.rounds} rounds")
        rounds = peers.run(device, options.base, options.rounds)
        show(report.backend_table(device, rounds))
        parts[name] = report.backend_summary(device, rounds)
        report.write(path, report.backends_summary(parts))
    show([f"figures: {path}"])


def show(lines):
    """A part of the output."""
    print("\n" + "\n".join(lines), flush=True)


def device_names(text):
    """The devices that --backend names."""
    names = text.split(",")
    for name in names:
        if name not in DEVICES:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(DEVICES)}")
    return names


def arguments(command, rounds):
    """A parser for what both commands take; ROUNDS: how many unless told otherwise."""
    parser = argparse.ArgumentParser(prog=f"make {command}", description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="mainline", help="mainline, lts or a kernel tree")
    parser.add_argument("--rounds", type=int, default=rounds, help="how often times are taken")
    parser.add_argument("--verbose", action="store_true", help="show where all traps go")
    parser.add_argument("--out", type=Path, default=OUT, help="where the results go (out/)")
    return parser


def parse(parser, args):
    """The options, as far as they make sense."""
    options = parser.parse_args(args)
    if options.rounds < 1:
        raise say.Error("--rounds: at least 1 is needed")
    return options


def main(args):
    """make bench"""
    parser = arguments("bench", ROUNDS)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--no-backend", action="store_true",
                       help="leave out the part with backends that others wrote")
    which.add_argument("--backend", type=device_names, metavar="DEVICES",
                       help=f"only that part, with these devices: {','.join(DEVICES)}")
    options = parse(parser, args)
    started = time.monotonic()
    if not options.backend:
        without_backend(options)
    if not options.no_backend:
        with_backends(options.backend or DEVICES, options)
    print(f"\ndone in {time.monotonic() - started:.0f} s")
    return 0


def xen(args):
    """make bench-xen"""
    options = parse(arguments("bench-xen", XEN_ROUNDS), args)
    started = time.monotonic()
    chain = Chain(options.base)
    say.step("booting Xen and Dom0, and a guest with all devices")
    with chain.boot("bench-xen") as dom0, Xen(dom0) as machine:
        say.note(f"Linux {machine.check('uname -r').strip()} is up, Dom0 and guest on one CPU")
        run(machine, "bench-xen", "one Xen guest, one device side in Dom0", options)
    print(f"\ndone in {time.monotonic() - started:.0f} s")
    return 0
