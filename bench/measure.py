# SPDX-License-Identifier: GPL-2.0-only
"""What is counted once, and what is timed again and again."""

from bench import blocktrace, counts, stats, words
from bench.machine import I2C_ADDRESS
from bench.transports import DEVICES, PAGE, STOCK, WINDOW

# Operations that load does before it measures
WARM_UP = 64
COUNTED = 100

OPERATIONS = 400
QUEUED = 3200
DEPTH = 32
CONFIG_READS = 400
PROBES = 10
# Not the disk, whose probe is mostly the reading of its partition table
PROBED = ("rng", "i2c")


def one_at_a_time(machine, transport, device, number):
    """NUMBER round trips at queue depth 1; the counters and nanoseconds."""
    node = machine.node(transport, device)
    if device == "i2c":
        return machine.load(transport, device, f"i2c {node} {I2C_ADDRESS} {number}")
    return machine.load(transport, device, f"disk {node} {number}")


def probes(machine, transport):
    """{device: counters of a bind}"""
    return {device: machine.bind(transport, device) for device in DEVICES}


def count(machine, transport):
    """What a transport costs in traps: the figures, and the counters they are from."""
    bound = probes(machine, transport)
    figures = {"probe": {device: counts.probe(counters, transport)
                         for device, counters in bound.items()}}
    phases = {f"probe {device}": counters for device, counters in bound.items()}
    for device in ("i2c", "blk"):
        counters, _ = one_at_a_time(machine, transport, device, COUNTED)
        found = counts.per_operation(counters, transport, COUNTED + WARM_UP)
        if figures.setdefault("round_trip", found["round_trip"]) != found["round_trip"]:
            raise counts.say.Error(f"{transport.name}: a round trip takes other traps with "
                                   f"{device}: {found}, {figures}", counts.describe(counters))
        figures.update(found)
        phases[f"{COUNTED + WARM_UP} round trips, {device}"] = counters
    phases[f"{COUNTED} config reads"] = config_reads(machine, transport, COUNTED)[0]
    return figures, phases


def config_reads(machine, transport, number):
    """NUMBER reads of a field of config space; the counters, and what load printed."""
    disk = machine.node(transport, "blk").rpartition("/")[2]
    return machine.load(transport, "blk", f"file /sys/block/{disk}/cache_type {number}")


def narrow(phases, transport):
    """Probe traps of the same messages on a 32-bit guest; None for virtio-mmio, the same."""
    if transport is STOCK:
        return None
    work_out = {WINDOW: words.window_mode, PAGE: words.page_mode}[transport]
    found = {}
    for device in ("rng", "i2c"):
        counters = phases[f"probe {device}"]
        if work_out(counters, 8) != counts.probe(counters, transport):
            raise counts.say.Error(f"{transport.name}: {work_out(counters, 8)} traps are worked "
                                   f"out for the probe of {device}, "
                                   f"{counts.probe(counters, transport)} were counted",
                                   counts.describe(counters))
        found[device] = work_out(counters, 4)
    return found


def each(numbers, prefix):
    """Figures of each operation, of what load printed of those that were done one at a time."""
    ordered = sorted(numbers[1:])
    return {f"{prefix} median us": stats.percentile(ordered, 50) / 1000,
            f"{prefix} p99 us": stats.percentile(ordered, 99) / 1000}


def rate(numbers, work):
    """WORK per second, of what load printed."""
    return work * 1e9 / numbers[0]


def each_and_all(numbers, prefix):
    """Both, of OPERATIONS."""
    return {**each(numbers, prefix), f"{prefix} per s at depth 1": rate(numbers, OPERATIONS)}


def disk_times(load, trace, node):
    """{figure: value} of the disk NODE; load(words) gives the numbers that load prints,
    trace(words) the trace of what it does."""
    figures = each_and_all(load(f"disk {node} {OPERATIONS}"), "blk")
    taken = sorted(blocktrace.parse(trace(f"disk {node} {OPERATIONS}")))
    figures["round trip median us"] = stats.median_of_binned(taken)
    figures["round trip p99 us"] = stats.percentile(taken, 99)
    figures[f"blk per s at depth {DEPTH}"] = rate(load(f"queue {node} {DEPTH} {QUEUED}"), QUEUED)
    return figures


def probe_time(machine, transport, device):
    """The median of the microseconds that binding a window's driver takes."""
    _, each = machine.load(transport, device, f"bind {transport.driver_directory} "
                           f"{machine.platform_device(transport, device)} {PROBES}")
    return stats.percentile(sorted(each), 50) / 1000


def time(machine, transport):
    """One round: {figure: value} of a transport."""
    figures = disk_times(lambda words: machine.load(transport, "blk", words)[1], machine.trace,
                         machine.node(transport, "blk"))
    figures |= each_and_all(one_at_a_time(machine, transport, "i2c", OPERATIONS)[1], "i2c")
    figures |= {f"probe {device} median us": probe_time(machine, transport, device)
                for device in PROBED}
    figures["config reads per s"] = rate(config_reads(machine, transport, CONFIG_READS)[1],
                                         CONFIG_READS)
    return figures
