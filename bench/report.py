# SPDX-License-Identifier: GPL-2.0-only
"""What was measured, as tables and as JSON."""

import json

from bench import stats
from bench.measure import DEPTH, PROBED
from bench.transports import DIRECT, STOCK, TRANSPORTS

NAMES = [transport.name for transport in TRANSPORTS]

# figure of a round: how it is called in the table
TIMES = {
    "round trip median us": "round trip, median",
    "round trip p99 us": "round trip, 99th percentile",
    "blk median us": "a program's disk read, median",
    "blk p99 us": "a program's disk read, 99th percentile",
    "i2c median us": "a program's I2C transfer, median",
    "i2c p99 us": "a program's I2C transfer, 99th percentile",
    **{f"probe {device} median us": f"probe {device}, median" for device in PROBED},
    "blk per s at depth 1": "disk reads per second, depth 1",
    f"blk per s at depth {DEPTH}": f"disk reads per second, depth {DEPTH}",
    "config reads per s": "config reads per second",
}

# What the counts should be at most: issue's and design's figures
GOALS = {
    "virtio-msg-window": {"kick": 1, "interrupt": 1},
    "virtio-msg-page": {"probe rng": 14, "probe i2c": 13, "kick": 1, "interrupt": 0,
                        "round_trip": 1},
}


def table(header, rows):
    """Lines with columns as wide as they need to be, the first one to the left."""
    rows = [list(map(str, row)) for row in [header, *rows]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = ["  ".join([row[0].ljust(widths[0]),
                        *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))])
             for row in rows]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def flat(figures):
    """{"probe rng": n, …, "kick": n, …}"""
    return {**{f"probe {device}": number for device, number in figures["probe"].items()},
            **{name: figures[name] for name in ("kick", "interrupt", "round_trip")}}


def count_table(counted, narrow):
    """Traps of each transport; COUNTED is {transport: figures}."""
    rows = [[what.replace("_", " "), *(flat(counted[name])[what] for name in NAMES)]
            for what in flat(counted[NAMES[0]])]
    for device in ("rng", "i2c"):
        rows.append([f"probe {device}, 32-bit guest (worked out)",
                     *((narrow[name] or counted[name]["probe"])[device] for name in NAMES)])
    return table(["traps", *NAMES], rows)


def measured(rounds):
    """The names in ROUNDS, in the order in which they are shown."""
    return [name for name in (*NAMES, DIRECT) if name in rounds[0]]


def time_table(rounds, figures=None):
    """Times and rates as ratios to the first transport, with their spread over ROUNDS.

    FIGURES: {figure: title}, those with a transport alone unless others are given.
    """
    names = measured(rounds)
    rows = []
    for figure, title in (figures or TIMES).items():
        row = [title, f"{stats.middle(rounds, STOCK.name, figure):.1f}"
               + (" us" if figure.endswith("us") else "")]
        for name in names[1:]:
            ratio, low, high = stats.spread(stats.ratios(rounds, name, STOCK.name, figure))
            row.append(f"x {ratio:.2f} ({low:.2f} to {high:.2f})")
        rows.append(row)
    return table([f"{len(rounds)} rounds", *names], rows)


def phase_table(phases, name):
    """Where the traps of one transport go, by phase, register and message."""
    lines = [f"{name}:"]
    for phase, counters in phases.items():
        lines.append(f"  {phase}: {counters['traps']['total']} traps")
        for way, verb in (("read", "loads"), ("write", "stores")):
            if counters["traps"][way]:
                lines.append(f"    {verb}: " + listing(counters["traps"][way]))
        if counters["requests"]:
            lines.append("    messages: " + listing(counters["requests"]))
    return lines


def listing(numbers):
    """{"a": 1, "b": 2} as "a 1, b 2"."""
    return ", ".join(f"{name} {number}" for name, number in numbers.items())


def missed(counted, rounds, time_goal=None):
    """The goals that were not reached, as lines; TIME_GOAL: what a round trip in page
    mode should take at most of virtio-mmio's time."""
    lines = []
    for name, goals in GOALS.items():
        for what, goal in goals.items():
            if flat(counted[name])[what] > goal:
                lines.append(f"{name}: {what} takes {flat(counted[name])[what]} traps, the goal "
                             f"is {goal}")
    for what in ("rng", "i2c"):
        window, stock = (counted[name]["probe"][what] for name in (NAMES[1], NAMES[0]))
        if window > 2 * stock:
            lines.append(f"{NAMES[1]}: probe {what} takes {window} traps, more than twice "
                         f"{stock}")
    ratio = stats.spread(stats.ratios(rounds, NAMES[2], STOCK.name, "round trip median us"))[0]
    if time_goal and ratio > time_goal:
        lines.append(f"{NAMES[2]}: a round trip takes {ratio:.2f} of {STOCK.name}'s time, the "
                     f"goal is {time_goal:.2f}")
    return lines


def summary(counted, rounds):
    """out/bench.json and out/bench-xen.json"""
    return {"transports": {name: {
        "traps": counted[name],
        **disk_summary(rounds, name),
        "config_reads_per_s": round(stats.middle(rounds, name, "config reads per s"), 1),
        "probe_us": {device: round(stats.middle(rounds, name, f"probe {device} median us"), 1)
                     for device in PROBED},
    } for name in NAMES}}


def disk_summary(rounds, name):
    """What both bench.json and bench-backends.json say of a disk."""
    return {"latency_us": {"median": round(stats.middle(rounds, name, "round trip median us"), 3),
                           "p99": round(stats.middle(rounds, name, "round trip p99 us"), 3)},
            "rps": {"qd1": round(stats.middle(rounds, name, "blk per s at depth 1"), 1),
                    "qd32": round(stats.middle(rounds, name, f"blk per s at depth {DEPTH}"), 1)}}


def backend_table(device, rounds):
    """What is shown of a device by a backend."""
    return [f"{device.title} by {device.backend}, through virtio-msgd, and by {DIRECT} without it:",
            "", *time_table(rounds, device.figures)]


def backend_summary(device, rounds):
    """The part of out/bench-backends.json that is about DEVICE."""
    return {"backend": device.backend,
            "transports": {name: device.summary(rounds, name) for name in measured(rounds)}}


def backends_summary(parts):
    """out/bench-backends.json, of {device's name: its part}; a disk's is not below its name."""
    return {**parts.get("blk", {}), **{name: part for name, part in parts.items()
                                       if name != "blk"}}


def write(path, content):
    """CONTENT as JSON."""
    path.write_text(json.dumps(content, indent=2) + "\n")
