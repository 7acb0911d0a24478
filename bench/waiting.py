# SPDX-License-Identifier: GPL-2.0-only
"""make bench-waiting: a device at work while another one of the same guest waits for its backend.

The guest has an I2C clock that is built in, and an I2C adapter whose backend takes its time for
the guest's memory (SET_MEM_TABLE) when its driver is bound. In page mode the response comes
late and the driver sleeps; without the page its CPU waits in the trap, as it did in both modes
before responses could be late.
"""

import argparse
import time

from bench import report
from scripts import say
from testbed import fake_backend as fake
from testbed.bed import Bed, run_directory

NAME = "bench-waiting"
MODES = {"page": "a response that comes late", "window": "a response in the trap"}
SECONDS = 3
GUEST_SECONDS = 60
ADDRESS = "0x68"
# Reads the clock for as long as process $1 runs, or for $2 hundredths of a second without one;
# says how often, for how many hundredths, and how many there were between two at the most
PACE = f"""
now() {{ awk '{{ print int($1 * 100) }}' /proc/uptime; }}
pace() {{
  start=$(now); last=$start; reads=0; longest=0
  while if [ -n "$1" ]; then kill -0 $1 2>/dev/null; else [ $((last - start)) -lt $2 ]; fi; do
    i2cget -y $clock {ADDRESS} 6 >/dev/null || exit 1
    reads=$((reads + 1)); this=$(now)
    [ $((this - last)) -gt $longest ] && longest=$((this - last))
    last=$this
  done
  echo $reads $((last - start)) $longest
}}
"""


def parse(text):
    """What pace() said, in reads a second and seconds."""
    reads, hundredths, longest = map(int, text.split())
    return {"reads_per_s": reads * 100 / hundredths if hundredths else 0.0,
            "longest_s": longest / 100}


def come(guest, window, backend):
    """Start BACKEND; returns the name of the device that it makes of WINDOW, and that nobody has
    bound: it is given the guest's memory when somebody does."""
    guest.check("echo 0 >/sys/bus/virtio/drivers_autoprobe")
    backend.start()
    return guest.wait_for(f"cd /sys/bus/platform/devices/virtio-msg-mmio.{window}; "
                          "ls -d virtio*").strip()


def measure(mode, seconds, base):
    """The clock's pace alone, and while the adapter's backend takes SECONDS."""
    directory = run_directory(f"{NAME}-backend")
    backend = fake.FakeBackend(directory / "adapter.sock", {fake.SET_MEM_TABLE: seconds})
    options = ",page=off" if mode == "window" else ""
    try:
        with Bed(NAME, [f"device=i2c{options}", f"device=i2c,socket={backend.path}{options}"],
                 base) as bed:
            clock = bed.node(0, "i2c-*").rpartition("-")[2]
            adapter = come(bed.guest, 1, backend)
            head = f"{PACE}\nclock={clock}; cd /sys/bus/virtio/drivers/i2c_virtio\n"
            alone = parse(bed.guest.check(f"{head} pace '' {100 * seconds}", GUEST_SECONDS))
            beside = parse(bed.guest.check(f"{head} (usleep 300000; echo {adapter} >bind) & pace $!",
                                           GUEST_SECONDS + seconds))
            bed.guest.halt()
    finally:
        backend.stop()
    return {"alone": alone, "beside": beside}


def ratio(found):
    """The pace beside the device that waits, in that alone."""
    return found["beside"]["reads_per_s"] / found["alone"]["reads_per_s"]


def table(found, seconds):
    """For people."""
    rows = [[MODES[mode], f"{each['alone']['reads_per_s']:.0f}/s", f"x {ratio(each):.2f}",
             f"{each['alone']['longest_s']:.2f} s", f"{each['beside']['longest_s']:.2f} s"]
            for mode, each in found.items()]
    return report.table([f"a backend takes {seconds} s", "reads alone", "meanwhile",
                         "longest pause alone", "meanwhile"], rows)


def main(args):
    """The command."""
    parser = argparse.ArgumentParser(prog="make bench-waiting",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="mainline", help="mainline, lts or a kernel tree")
    parser.add_argument("--seconds", type=int, default=SECONDS,
                        help=f"that the backend takes, at most 30 ({SECONDS})")
    options = parser.parse_args(args)
    started, found = time.monotonic(), {}
    for mode, title in MODES.items():
        say.step(f"measuring beside a device that waits for {title}")
        found[mode] = measure(mode, options.seconds, options.base)
    print("\n" + "\n".join(table(found, options.seconds)))
    out = say.REPO / "out" / f"{NAME}.json"
    report.write(out, found)
    print(f"\nfigures: {out}\ndone in {time.monotonic() - started:.0f} s")
    return 0
