# SPDX-License-Identifier: GPL-2.0-only
"""Tests on a machine with Xen. The machine is booted once for all tests that are
content with one physical CPU, and once for those that want two."""

import atexit

from testbed.xen.chain import Chain

parts = None        # set by the runner, or made when the first test asks
machines = {}


def machine(vcpus=1):
    """The machine with so many CPUs, running."""
    global parts
    if vcpus not in machines:
        parts = parts or Chain()
        machines[vcpus] = parts.boot(f"xen-test-{vcpus}", vcpus)
    return machines[vcpus]


@atexit.register
def stop():
    """End all machines."""
    while machines:
        machines.popitem()[1].close()
