# SPDX-License-Identifier: GPL-2.0-only
"""Traps told apart by what they are for, from virtio-msgd's counters of a window.

A figure per kick, per interrupt or per round trip has to come out even: traps are
counted, not estimated, and one too many means that something else was going on.
"""

from scripts import say


def registers(counters):
    """{register: traps}, loads and stores together."""
    found = {}
    for way in ("read", "write"):
        for name, number in counters["traps"][way].items():
            found[name] = found.get(name, 0) + number
    return found


def interrupt_traps(counters, transport):
    """How many traps were the interrupt handler's."""
    found = registers(counters)
    return sum(found.get(name, 0) for name in transport.interrupt)


def kick_traps(counters):
    """How many traps were notifications."""
    return registers(counters).get("QueueNotify", 0)


def probe(counters, transport):
    """Traps of a bind: all but those of interrupts, with one kick at most."""
    if counters["kicks"] > 1:
        raise say.Error(f"{transport.name}: {counters['kicks']} kicks while a device is bound: "
                        "something uses it at once", describe(counters))
    return counters["traps"]["total"] - interrupt_traps(counters, transport)


def even(traps, number, what, counters):
    """TRAPS divided by NUMBER."""
    if not number or traps % number:
        raise say.Error(f"{traps} traps for {number} {what}: that does not come out even",
                        describe(counters))
    return traps // number


def per_operation(counters, transport, operations):
    """{"kick", "interrupt", "round_trip"}: traps of each, after OPERATIONS round trips."""
    if counters["kicks"] != operations:
        raise say.Error(f"{transport.name}: {counters['kicks']} kicks for {operations} operations",
                        describe(counters))
    if counters["interrupts"] != operations:
        raise say.Error(f"{transport.name}: {counters['interrupts']} interrupts for {operations} "
                        "operations", describe(counters))
    return {"kick": even(kick_traps(counters), operations, "kicks", counters),
            "interrupt": even(interrupt_traps(counters, transport), operations, "interrupts",
                              counters),
            "round_trip": even(counters["traps"]["total"], operations, "round trips", counters)}


def describe(counters):
    """Where the traps went, in one line."""
    parts = [f"{way} {name} {number}" for way in ("read", "write")
             for name, number in counters["traps"][way].items()]
    parts += [f"{name} {number}" for name, number in counters["requests"].items()]
    return "traps: " + ", ".join(parts)
