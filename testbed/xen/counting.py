# SPDX-License-Identifier: GPL-2.0-only
"""Exact counts of what a kernel on the machine did, Dom0's or a guest's, by its own tracing."""

TRACING = "/sys/kernel/tracing"
# Whatever became of an event, it is in one of these
COUNT = (f"cat {TRACING}/per_cpu/cpu*/stats | awk -F: "
         "'/^(entries|overrun|dropped events|read events):/ { n += $2 } END { print n + 0 }'")

# The guest's driver tells of new buffers
NOTIFY = "virtio_msg/virtio_msg_notify"
# Dom0's kernel signals an eventfd from within, which for now only ioeventfds are
SIGNAL = "kprobes/eventfd_signal"
SIGNAL_PROBE = "p:eventfd_signal eventfd_signal_mask"


class Count:
    """How often EVENT happened on WHERE, the machine (Dom0) or a Guest, since this was made."""

    def __init__(self, where, event, probe=""):
        self.where = where
        where.run(f"test -e {TRACING}/events || mount -t tracefs tracefs {TRACING}")
        where.run(f"cd {TRACING}; echo 0 >events/enable; echo '{probe}' >kprobe_events; "
                  f"echo >trace; echo 1 >events/{event}/enable; cd - >/dev/null")

    def now(self):
        """The count."""
        return int(self.where.run(COUNT))
