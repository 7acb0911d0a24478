# SPDX-License-Identifier: GPL-2.0-only
"""make bench-neighbours: what a guest's neighbours cost it, and what a guest costs the host.

    make bench-neighbours                            in about six minutes
    make bench-neighbours ARGS=--rounds=51           more rounds
    make bench-neighbours ARGS="--neighbours=4"      of each kind, 2 otherwise
    make bench-neighbours ARGS=--program=PATH        of another virtio-msgd
"""

import argparse
import contextlib
import gc
import os
import time
from pathlib import Path

from bench import footprint, report, stats
from bench.uml import PRIORITY, realtime
from scripts import say
from testbed import bed, msgd, neighbours
from testbed.neighbour_kinds import KINDS
from testbed.neighbours import Neighbour
from testbed.steady_guest import WINDOW, SteadyGuest, TimedGuest

OUT = say.REPO / "out"
NAME = "bench-neighbours"
ROUNDS = 11
SECONDS = 1
EACH = 2
GOAL = 2
# The guest is idle for some of the time, as guests are: a moment between two steps
PAUSE_SECONDS = 0.0005
IDLE = "idle"
FIGURES = {"p50 us": 50, "p99 us": 99, "worst us": 100}


class Place:
    """Which CPUs are for the guest that is measured, with its process, and which are for all
    others, with theirs, and for the parent. With FIRST the former have real-time priority, where
    it is allowed: the machine may have more to do."""

    def __init__(self, name, title, mine, others, first=False):
        self.name, self.title, self.mine, self.others = name, title, set(mine), set(others)
        self.first = first

    def move(self, pid):
        """The process of the guest that is measured."""
        os.sched_setaffinity(pid, self.mine)
        if self.first:
            with contextlib.suppress(PermissionError):
                os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(PRIORITY))

    @contextlib.contextmanager
    def moved(self):
        """This process is that guest, which has no interruptions of its own, and starts none."""
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, self.mine)
        gc.collect()
        gc.disable()
        try:
            with realtime() if self.first else contextlib.nullcontext():
                yield
        finally:
            gc.enable()
            os.sched_setaffinity(0, before)

    def move_other(self):
        """This process, which is one of the others."""
        os.sched_setaffinity(0, self.others)


def places(cpus):
    """How it is measured, on a machine with CPUS."""
    cpus = sorted(cpus)
    found = [Place("first", "all on all CPUs, the guest and its process with real-time priority",
                   cpus, cpus, first=True),
             Place("together", "all on all CPUs, with the same priority", cpus, cpus)]
    if len(cpus) > 1:
        found.insert(0, Place("apart", "the guest and its process on a CPU of their own, with "
                              "real-time priority, all others on the rest", cpus[-1:], cpus[:-1],
                              first=True))
    return found


class House:
    """A virtio-msgd with the guest that is measured, and EACH neighbours of each kind."""

    def __init__(self, program, place, each):
        self.place, self.directory = place, bed.run_directory(NAME)
        self.names = {kind: [f"{kind}{number}" for number in range(each)] for kind in KINDS}
        guests = {name: neighbours.windows(kind, self.directory, name)
                  for kind, names in self.names.items() for name in names}
        self.msgd = msgd.Msgd(program, self.directory, [WINDOW], guests=guests,
                              place=place.move_other)
        self.guest = self.steady = None

    def __enter__(self):
        self.msgd.start()
        # A virtio-msgd that has one process has it where the guest is
        self.place.move(self.msgd.processes().get(self.msgd.socket.name, self.msgd.pid))
        self.guest = TimedGuest(self.msgd.socket).connect()
        self.steady = SteadyGuest(self.guest)
        return self

    def __exit__(self, *_):
        self.guest.close()
        self.msgd.kill()

    def measure(self, kind, seconds, seed):
        """{figure: value} of SECONDS beside the neighbours of one KIND, with SEED; all others
        do not exist meanwhile."""
        beside = [Neighbour(kind, self.directory, name, seed + at, self.place.move_other)
                  for at, name in enumerate(self.names[kind])]
        with contextlib.ExitStack() as stack:
            for each in beside:
                stack.callback(each.kill)
                each.start()
            with self.place.moved():
                self.guest.times.clear()
                before = self.steady.served
                self.steady.run(seconds, PAUSE_SECONDS)
            figures = of_times(self.guest.times)
            figures["requests"] = self.steady.served - before
            figures["steps of neighbours"] = sum(each.stop() for each in beside)
        return figures


def of_times(times):
    """{figure: value} of so many nanoseconds each."""
    ordered = sorted(times)
    return {**{figure: stats.percentile(ordered, percent) / 1000
               for figure, percent in FIGURES.items()}, "accesses": len(ordered)}


def run_rounds(house, number, seconds):
    """NUMBER rounds, in each of which all kinds take their turn; a list of {kind: {…}}."""
    progress = say.Progress("measuring", number)
    kinds, rounds = list(KINDS), []
    for at in range(number):
        # Another one goes first each time
        first = at % len(kinds)
        rounds.append({kind: house.measure(kind, seconds, 100 * at)
                       for kind in kinds[first:] + kinds[:first]})
        progress.at(at + 1, "rounds")
    return rounds


# What comes of it

def ratio(rounds, kind, figure):
    """The median over ROUNDS, in that beside idle neighbours."""
    return stats.middle(rounds, kind, figure) / stats.middle(rounds, IDLE, figure)


def neighbours_table(rounds):
    """What an access takes beside each kind of neighbours, in what it takes beside idle ones."""
    rows = []
    for kind, made in KINDS.items():
        worst = f"{stats.middle(rounds, kind, 'worst us'):.0f} us"
        if kind == IDLE:
            cells = [f"{stats.middle(rounds, kind, figure):.1f} us" for figure in FIGURES]
        else:
            cells = [f"x {ratio(rounds, kind, figure):.2f}" for figure in FIGURES]
            _, low, high = stats.spread(stats.ratios(rounds, kind, IDLE, "worst us"))
            cells[-1] += f" ({low:.2f} to {high:.2f})"
        rows.append([f"neighbours that {made.title}", *cells, worst,
                     f"{stats.middle(rounds, kind, 'accesses'):.0f}"])
    return report.table([f"{len(rounds)} rounds", "median", "99th percentile", "worst", "worst",
                         "accesses"], rows)


def missed(rounds):
    """Neighbours beside whom the worst access takes longer than it should."""
    return [f"beside neighbours that {made.title} the worst access takes "
            f"{ratio(rounds, kind, 'worst us'):.2f} times what it takes beside idle ones, the "
            f"goal is {GOAL}"
            for kind, made in KINDS.items() if ratio(rounds, kind, "worst us") > GOAL]


def summary(rounds):
    """The part of out/bench-neighbours.json that is about one place."""
    found = {}
    for kind in KINDS:
        found[kind] = {figure.replace(" ", "_"): round(stats.middle(rounds, kind, figure), 1)
                       for figure in (*FIGURES, "accesses", "requests")}
        found[kind]["ratio"] = {figure.removesuffix(" us"): round(ratio(rounds, kind, figure), 2)
                                for figure in FIGURES}
    return {"rounds": len(rounds), "beside": found}


def show(lines):
    """A part of the output."""
    print("\n" + "\n".join(lines), flush=True)


def parse(args):
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench-neighbours",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how many ({ROUNDS})")
    parser.add_argument("--seconds", type=float, default=SECONDS,
                        help=f"for each kind of neighbours in a round ({SECONDS})")
    parser.add_argument("--neighbours", type=int, default=EACH, metavar="NUMBER",
                        help=f"of each kind ({EACH})")
    parser.add_argument("--program", type=Path, help="a virtio-msgd that is measured instead")
    parser.add_argument("--out", type=Path, default=OUT, help="where the results go (out/)")
    options = parser.parse_args(args)
    if options.rounds < 1 or options.neighbours < 1 or options.seconds <= 0:
        raise say.Error("--rounds, --neighbours, --seconds: more than nothing is needed")
    return options


def main(args):
    """make bench-neighbours"""
    options, started = parse(args), time.monotonic()
    program = options.program or msgd.build()
    found, details = {"places": {}}, {}
    for place in places(os.sched_getaffinity(0)):
        say.step(f"measuring accesses beside {options.neighbours} neighbours of each kind, "
                 f"{options.rounds} rounds; {place.title}")
        with House(program, place, options.neighbours) as house:
            rounds = run_rounds(house, options.rounds, options.seconds)
        show(neighbours_table(rounds))
        if problems := missed(rounds):
            show(["Not reached:", *problems])
        found["places"][place.name], details[place.name] = summary(rounds), rounds
    say.step(f"measuring memory, and {footprint.SECONDS} s without work, with "
             f"{', '.join(map(str, footprint.GUESTS))} guests")
    measured = footprint.run(program)
    show(footprint.table(measured))
    if problems := footprint.missed(measured):
        show(["Not reached:", *problems])
    found["footprint"] = {str(number): each for number, each in measured.items()}
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    report.write(out / f"{NAME}.json", found)
    report.write(out / f"{NAME}-details.json", details)
    show([f"figures: {out / NAME}.json", f"details: {out / NAME}-details.json"])
    print(f"\ndone in {time.monotonic() - started:.0f} s")
    return 0
