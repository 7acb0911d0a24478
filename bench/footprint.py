# SPDX-License-Identifier: GPL-2.0-only
"""What virtio-msgd's processes take of the host when their guests do nothing."""

import contextlib
import re
import time
from pathlib import Path

from bench import report
from testbed import bed, msgd
from testbed.fake_driver import Disk
from testbed.fake_guest import FakeGuest

GUESTS = (1, 16, 64)
SECONDS = 10
SETTLE_SECONDS = 0.5
MEMORY = 1 << 20
WINDOW = "device=blk"
# What a guest's process may take at most
GOAL_KIB = 3 << 10

ROLLUP = re.compile(r"^(\w+): +(\d+) kB$", re.MULTILINE)
SWITCHES = re.compile(r"^voluntary_ctxt_switches:\s+(\d+)$", re.MULTILINE)


def parse_rollup(text):
    """What is resident, and which part of it is of no other process, of smaps_rollup's TEXT."""
    kib = {name: int(number) for name, number in ROLLUP.findall(text)}
    return {"resident_kib": kib["Rss"],
            "private_kib": kib["Private_Clean"] + kib["Private_Dirty"]}


def memory(pid):
    """The same of a process."""
    return parse_rollup(Path(f"/proc/{pid}/smaps_rollup").read_text())


def wake_ups(pid):
    """How often it has waited so far."""
    [number] = SWITCHES.findall(Path(f"/proc/{pid}/status").read_text())
    return int(number)


def largest(found):
    """Of each number, the largest one of FOUND."""
    return {name: max(each[name] for each in found) for name in found[0]}


def work(guest):
    """A driver is at work in GUEST, and has nothing to do from now on."""
    disk = Disk(guest, page=True, room=512)
    disk.up()
    disk.load(0)


def measure(program, number, seconds=SECONDS):
    """The memory of NUMBER guests' processes and of their parent, and how often they wake up."""
    directory = bed.run_directory("bench-footprint")
    names = [f"guest{at}" for at in range(1, number)]
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(msgd.Msgd(program, directory, [WINDOW],
                                               guests={name: [WINDOW] for name in names}))
        for path in (server.socket, *(directory / name for name in names)):
            work(stack.enter_context(FakeGuest(path, MEMORY)))
        time.sleep(SETTLE_SECONDS)
        # Or there is one process for all, in other versions
        children, parent = list(server.processes().values()) or [server.pid], server.pid
        found = {"child": largest([memory(pid) for pid in children]), "parent": memory(parent)}
        before = {pid: wake_ups(pid) for pid in (*children, parent)}
        time.sleep(seconds)
        woken = {pid: wake_ups(pid) - before[pid] for pid in before}
    found["parent"]["wake_ups"] = woken.pop(parent)
    found["child"]["wake_ups"] = sum(woken.values())
    return found


def run(program):
    """{number of guests: what measure() says}"""
    return {number: measure(program, number) for number in GUESTS}


def table(measured):
    """What is shown of it."""
    rows = [[number, *(f"{each[who][what]} KiB" for who in ("child", "parent")
                       for what in ("resident_kib", "private_kib")),
             each["child"]["wake_ups"], each["parent"]["wake_ups"]]
            for number, each in measured.items()]
    return report.table(["guests", "a guest's process", "of that private", "the parent",
                         "of that private", f"wake-ups of all guests' in {SECONDS} s",
                         "of the parent"], rows)


def missed(measured):
    """What is more than it should be."""
    lines = []
    for number, each in measured.items():
        resident = each["child"]["resident_kib"]
        if resident > GOAL_KIB:
            lines.append(f"{number} guests: a guest's process takes {resident} KiB, the goal is "
                         f"{GOAL_KIB}")
        if woken := each["child"]["wake_ups"] + each["parent"]["wake_ups"]:
            lines.append(f"{number} guests: {woken} wake-ups without work, the goal is none")
    return lines
