# SPDX-License-Identifier: GPL-2.0-only
"""make bench-slots: what each more device behind one window costs.

One guest after the other has 1, 8, 44 and 64 random number generators behind one window in page
mode. What it costs to find and bring them up is counted, and timed by binding the bus again;
what an interrupt for one of them costs is the time of a read from it, in that with one device.
"""

import argparse
import statistics
import time

from bench import report
from scripts import say
from testbed.bed import Bed

NAME = "bench-slots"
NUMBERS = (1, 8, 44, 64)
ROUNDS = 7
DRIVER = "/sys/bus/platform/drivers/virtio-msg-mmio"
BOUND = "ls /sys/bus/virtio/drivers/virtio_rng | grep -c '^virtio'"
READS, BINDS = 10000, 10
# Runs a command many times over; says how many seconds that took, by a clock of hundredths
TIMED = ("start=$(cut -d' ' -f1 /proc/uptime); {}; "
         "awk -v s=$start '{{ print $1 - s }}' /proc/uptime")
READ = TIMED.format(f"dd if=/dev/hwrng of=/dev/null bs=16 count={READS} 2>/dev/null")
BIND = TIMED.format(f"cd {DRIVER}; for n in $(seq {BINDS}); do "
                    "echo virtio-msg-mmio.0 >unbind; echo virtio-msg-mmio.0 >bind; done")
# KiB that are not free, of what cannot be freed
MEMORY = ("echo 3 >/proc/sys/vm/drop_caches; sleep 1; "
          "awk '/^MemTotal:/ { t = $2 } /^MemFree:/ { print t - $2 }' /proc/meminfo")


def windows(number):
    """The one window with NUMBER devices."""
    return [["device=rng" + (f",slots={number}" if number > 1 else ""),
             *["device=rng"] * (number - 1)]]


def measure(number, rounds, base):
    """What NUMBER devices take."""
    with Bed(NAME, windows(number), base) as bed:
        guest = bed.guest
        if int(guest.check(BOUND)) != number:
            raise say.Error(f"not all of the {number} devices came up, "
                            f"see {guest.console_file}")
        guest.check(f"echo virtio-msg-mmio.0 >{DRIVER}/unbind")
        before = int(guest.check(MEMORY))
        bed.msgd.control("counters-reset")
        guest.check(f"echo virtio-msg-mmio.0 >{DRIVER}/bind")
        counters = bed.msgd.counters()
        memory = int(guest.check(MEMORY)) - before
        times = [float(guest.check(BIND)) for _ in range(3)]
        reads = [float(guest.check(READ)) for _ in range(rounds)]
        guest.halt()
    return {"messages": sum(counters["requests"].values()),
            "traps": counters["traps"]["total"], "memory_kib": memory,
            "bind_ms": statistics.median(times) * 1000 / BINDS,
            "read_us": statistics.median(reads) * 1000000 / READS}


def table(found):
    """For people."""
    one = found[min(found)]
    rows = [[str(number), str(each["messages"]), str(each["traps"]),
             f"x {each['bind_ms'] / one['bind_ms']:.1f}", f"{each['memory_kib']} KiB",
             f"x {each['read_us'] / one['read_us']:.2f}"]
            for number, each in sorted(found.items())]
    return report.table(["devices", "messages", "traps", "unbind and bind", "memory",
                         "a read of one"], rows)


def main(args):
    """The command."""
    parser = argparse.ArgumentParser(prog="make bench-slots", description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="mainline", help="mainline, lts or a kernel tree")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of reads ({ROUNDS})")
    options = parser.parse_args(args)
    started, found = time.monotonic(), {}
    for number in NUMBERS:
        say.step(f"measuring {number} device{'s' if number > 1 else ''} behind one window")
        found[number] = measure(number, options.rounds, options.base)
    print("\n" + "\n".join(table(found)))
    out = say.REPO / "out" / f"{NAME}.json"
    report.write(out, found)
    print(f"\nfigures: {out}\ndone in {time.monotonic() - started:.0f} s")
    return 0
