# SPDX-License-Identifier: GPL-2.0-only
"""Which CPU of a guest told which virtqueue of new buffers, by the kernel's tracepoint."""

import re

TRACE = "/sys/kernel/tracing"
EVENT = "events/virtio_msg/virtio_msg_notify/enable"
KICK = re.compile(r" \[(\d+)\] .* virtio_msg_notify: .* vq=(\d+) ")
KEPT = re.compile(r"^# entries-in-buffer/entries-written: (\d+)/(\d+) ", re.MULTILINE)


def parse(text):
    """[(CPU, virtqueue)] of a trace, in the order of time."""
    kicks = [(int(cpu), int(queue)) for cpu, queue in KICK.findall(text)]
    kept, written = KEPT.search(text).groups()
    if not int(kept) == int(written) == len(kicks):
        raise ValueError(f"the trace has {len(kicks)} kicks, {kept} of {written} entries")
    return kicks


def traced(guest, script, timeout=120):
    """Run a script in the guest; returns the kicks meanwhile as parse() does."""
    guest.check(f"cd {TRACE}; echo > trace; echo 1 > {EVENT}")
    guest.check(script, timeout)
    guest.check(f"echo 0 > {TRACE}/{EVENT}")
    return parse(guest.check(f"cat {TRACE}/trace"))
