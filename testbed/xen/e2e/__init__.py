# SPDX-License-Identifier: GPL-2.0-only
"""Tests on a machine with Xen. The machine is booted once for all tests that are
content with one physical CPU, and once for those that want two; and again after a
test that left something behind on it."""

import atexit

from testbed.xen.chain import Chain

parts = None        # set by the runner, or made when the first test asks
machines = {}
boots = 0


def machine(vcpus=1):
    """The machine with so many CPUs, running."""
    global boots
    if vcpus in machines and not machines[vcpus].answers():
        discard(vcpus)
    if vcpus not in machines:
        boots += 1
        machines[vcpus] = chain().boot(f"xen-test-{boots}", vcpus)
    return machines[vcpus]


def chain():
    """The parts that machines are made of."""
    global parts
    parts = parts or Chain()
    return parts


def discard(vcpus):
    """The machine is not fit for another test."""
    machines.pop(vcpus).close()


@atexit.register
def stop():
    """End all machines."""
    while machines:
        machines.popitem()[1].close()
