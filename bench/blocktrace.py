# SPDX-License-Identifier: GPL-2.0-only
"""How long the guest's kernel waits for a disk, by the block layer's tracepoints.

From the moment in which the driver is given a request until it reports it as
complete: the round trip itself, without the system call around it, which in User
Mode Linux costs as much as a trap.
"""

import re

from scripts import say

TRACING = "/sys/kernel/tracing"
EVENTS = ("block_rq_issue", "block_rq_complete")
LINE = re.compile(r" (\d+)\.(\d{6}): (block_rq_issue|block_rq_complete): .* (\d+) \+ \d+ ")


def script(command):
    """Shell commands that run COMMAND under trace and print the trace."""
    switch = "\n".join(f"echo $1 > {TRACING}/events/block/{event}/enable" for event in EVENTS)
    return f"""set -e
switch() {{
{switch}
}}
echo mono > {TRACING}/trace_clock
echo > {TRACING}/trace
switch 1
{command} > /dev/null
switch 0
cat {TRACING}/trace"""


def parse(text):
    """Microseconds of each request, in the order in which they were issued."""
    taken, open_since = [], {}
    for seconds, micros, event, sector in LINE.findall(text):
        at = int(seconds) * 1000000 + int(micros)
        if event == "block_rq_issue":
            open_since[sector] = at
        elif sector not in open_since:
            raise say.Error(f"the guest's trace has a completion that nobody waits for: {sector}")
        else:
            taken.append(at - open_since.pop(sector))
    if open_since or not taken:
        raise say.Error(f"the guest's trace has {len(taken)} requests and {len(open_since)} that "
                        "do not end")
    return taken
