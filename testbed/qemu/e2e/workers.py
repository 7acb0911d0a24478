# SPDX-License-Identifier: GPL-2.0-only
"""Processes in a guest that keep a disk busy while a test does something else to it."""

import contextlib

# A line for each block of data that was written, read again and found right
DONE, WRONG, STOP = "/tmp/done", "/tmp/wrong", "/tmp/stop"
KIB = 256
VERIFY = """
worker() {{
    while ! test -e {stop}; do
        dd if=/dev/urandom of=/tmp/w$1 bs=64k count={blocks} 2>/dev/null &&
        dd if=/tmp/w$1 of={disk} bs=4k seek=$(($1 * {part})) oflag=direct conv=notrunc &&
        dd if={disk} of=/tmp/r$1 bs=4k skip=$(($1 * {part})) count={pages} iflag=direct &&
        cmp /tmp/w$1 /tmp/r$1 || {{ echo $1 >> {wrong}; return; }}
        echo $1 >> {done}
    done
}}
rm -f {stop} {wrong} {done}; touch {done}
for each in $(seq 0 {last}); do
    worker $each >/tmp/worker$each 2>&1 &
done
"""
READ = """
rm -f {stop}
for each in $(seq {number}); do
    (while ! test -e {stop} && test -b /dev/{disk}; do
        dd if=/dev/{disk} of=/dev/null bs=4k count=256 iflag=direct
    done) >/dev/null 2>&1 &
done
"""
# Those that read from a disk that went have ended then
ALL_ENDED = "! ps | grep -q '[d]d if='"


def start(guest, disk, part, number):
    """NUMBER workers write parts of PART bytes of DISK, and read them again; returns when each
    did some."""
    guest.check(VERIFY.format(stop=STOP, done=DONE, wrong=WRONG, disk=disk, part=part // 4096,
                              blocks=KIB // 64, pages=KIB // 4, last=number - 1))
    guest.wait_for(f"test $(sort -u {DONE} | wc -l) -eq {number} || test -e {WRONG}")


@contextlib.contextmanager
def verifying(guest, disk, part, number):
    """What start() does; yields a function that returns how often they did. In the end all of
    it was right."""
    start(guest, disk, part, number)
    yield lambda: len(guest.check(f"cat {DONE}").split())
    guest.check(f"touch {STOP}")
    guest.wait_for(ALL_ENDED)
    guest.check(f"test ! -e {WRONG} || {{ cat /tmp/worker*; exit 1; }}")


def requests(guest, disk):
    """How many of the reads from DISK are complete."""
    return int(guest.check(f"cat /sys/block/{disk}/stat").split()[0])


@contextlib.contextmanager
def reading(guest, disk, number):
    """NUMBER workers read the whole DISK, which may go meanwhile."""
    guest.check(READ.format(stop=STOP, disk=disk, number=number))
    before = requests(guest, disk)
    guest.wait_for(f"set -- $(cat /sys/block/{disk}/stat); test $1 -gt {before + number}")
    yield
    guest.check(f"touch {STOP}")
    guest.wait_for(ALL_ENDED)
