# SPDX-License-Identifier: GPL-2.0-only
"""make demo: a guest reads and sets a clock over virtio-msg.

    make demo              boot, show, power off
    make shell             boot the same guest and leave you in a shell in it
    make demo BASE=lts     with the other kernel
    make demo VMM=qemu     with QEMU and Debian's own kernel (testbed/qemu/demo.py)
    make demo DEVICE=blk   another device, by a vhost-user backend: blk, fs, net, vsock
    make demo DEVICE=hotplug   devices that come and go behind one window
"""

import argparse
import contextlib
import importlib
import time
from datetime import datetime

from scripts import say
from testbed.bed import Bed, run_directory
from testbed.narration import NEW_TIME, RTC_ADDRESS, block, line, title

SECONDS_TO_READ_BACK = 60
STATUS_BITS = ((1, "ACKNOWLEDGE"), (2, "DRIVER"), (4, "DRIVER_OK"), (8, "FEATURES_OK"),
               (64, "NEEDS_RESET"), (128, "FAILED"))


def status_text(value):
    """The names of a virtio device status."""
    return " ".join(name for bit, name in STATUS_BITS if value & bit) or "reset"


def show_device(guest):
    """Which device the guest found, on what."""
    title("The device")
    bus = guest.check("basename $(readlink -f /sys/bus/virtio/devices/virtio0/..)").strip()
    driver = guest.check("basename $(readlink /sys/bus/virtio/devices/virtio0/driver)").strip()
    device = int(guest.check("cat /sys/bus/virtio/devices/virtio0/device"), 16)
    status = int(guest.check("cat /sys/bus/virtio/devices/virtio0/status"), 16)
    window = guest.check(f"grep -m1 '{bus}' /proc/iomem").split(":")[0].strip()
    line("virtio0", f"virtio device {device}, driver {driver}, status {status_text(status)}")
    line("its transport", "virtio-msg")
    line("its bus", f"{bus}, window {window}")


def show_clock(guest):
    """The real-time clock, which may not be the guest's first one: read, set, read back."""
    title("The clock")
    guest.check(f"echo ds1338 {RTC_ADDRESS} > /sys/bus/i2c/devices/i2c-0/new_device")
    rtc = guest.wait_for("ls /sys/bus/i2c/devices/0-0068/rtc").strip()
    hwclock = f"hwclock -f /dev/{rtc} --utc"
    guest.wait_for(f"test -e /dev/{rtc}")
    name = guest.check(f"cat /sys/class/rtc/{rtc}/name").strip()
    chip = guest.check(f"cat /sys/class/rtc/{rtc}/device/name").strip()
    adapter = guest.check("cat /sys/bus/i2c/devices/i2c-0/name").strip()
    line(f"/dev/{rtc}", f"{name} ({chip}) on {adapter}")
    path = guest.check(f"readlink -f /sys/class/rtc/{rtc}").strip()
    line("in sysfs", path.removeprefix("/sys/devices/"))
    line("hwclock -r", guest.check(f"{hwclock} -r").strip())
    guest.check(f"{hwclock} --set --date '{NEW_TIME}'")
    line("hwclock --set", NEW_TIME)
    read_back = guest.check(f"{hwclock} -r").strip()
    line("hwclock -r", read_back)
    passed = datetime.fromisoformat(read_back[:19]) - datetime.fromisoformat(NEW_TIME)
    if not 0 <= passed.total_seconds() < SECONDS_TO_READ_BACK:
        raise say.Error(f"the clock was set to {NEW_TIME} but reads {read_back}")


def show_bus(guest):
    """The I2C bus behind the adapter, with the usual tools."""
    title("The I2C bus")
    line("i2cdetect -y 0", "")
    block(guest.check("i2cdetect -y 0"))
    for register, meaning in ((4, "day"), (5, "month"), (6, "year")):
        command = f"i2cget -f -y 0 {RTC_ADDRESS} {register}"
        line(command, f"{guest.check(command).strip()}  ({meaning}, in BCD)")


HWCLOCK = "  (hwclock reads the clock over and over until its second changes)"


def show_cost(at_boot, at_end, remark):
    """How many traps and messages that took, by virtio-msgd's count."""
    title("What it took")
    line("traps", f"{at_boot['traps']['total']} until the device was ready, "
         f"{at_end['traps']['total']} altogether")
    for way in ("read", "write"):
        registers = at_end["traps"][way]
        line(f"  {way}", ", ".join(f"{name} {count}" for name, count in registers.items()))
    line("requests", f"{sum(at_boot['requests'].values())} until the device was ready, "
         f"{sum(at_end['requests'].values())} altogether")
    names = list(at_end["requests"].items())
    for start in range(0, len(names), 3):
        line("", ", ".join(f"{name} {count}" for name, count in names[start:start + 3]))
    line("kicks, interrupts", f"{at_end['kicks']}, {at_end['interrupts']}{remark}")


def i2c(guest):
    """An I2C adapter with a DS1338 real-time clock on its bus."""
    show_clock(guest)
    show_bus(guest)


# What --device may name: the windows virtio-msgd gets, and what is shown of them
DEVICES = ("i2c", "blk", "fs", "net", "vsock")
# Several devices behind one window: not behind a PCI function
HOTPLUG = "hotplug"


@contextlib.contextmanager
def device(name):
    """The device called NAME: its window, the programs it takes, and what shows it."""
    if name == "i2c":
        yield "device=i2c", {}, lambda bed: i2c(bed.guest)
        return
    module = importlib.import_module(f"testbed.demos.{name}")
    backend = module.backend(run_directory("demo-backend"))
    say.step(f"starting the backend, {backend.name} (log: {backend.log_file})")
    with backend:
        yield (getattr(module, "WINDOW", backend.window), module.PROGRAMS,
               lambda bed: work(bed, module, backend))


def work(bed, module, backend):
    """The guest at work with what is behind BACKEND."""
    title(f"At work ({backend.name})")
    module.show(bed, backend, line)


def show(name, boot):
    """Boot a guest with the device called NAME and show it at work. BOOT: a function of the
    window's options and of the guest's programs; returns a bed, which says what KIND it is."""
    with device(name) as (window, programs, function), prepared(boot(window, programs)) as bed:
        guest = bed.guest
        release = guest.check("uname -r").strip()
        say.note(f"Linux {release} is up ({bed.KIND}, console: {guest.console_file})")
        at_boot = bed.msgd.counters()
        show_device(guest)
        function(bed)
        show_cost(at_boot, bed.msgd.counters(), HWCLOCK if name == "i2c" else "")
        guest.halt()


def prepared(bed):
    """Says what is started; the bed itself."""
    for number, options in enumerate(bed.windows):
        say.step(f"starting virtio-msgd: window {number}, {options}")
    say.step("booting the guest")
    return bed


def shell(base):
    """Leave the user in a shell in the guest."""
    bed = prepared(Bed("shell", ["device=i2c", "device=rng"], base))
    with bed.msgd:
        print(SHELL_HELP)
        return bed.guest.shell()


SHELL_HELP = """
  You get a shell in the guest; `poweroff -f` or Ctrl-D ends it. Try:

    echo ds1338 0x68 > /sys/bus/i2c/devices/i2c-0/new_device
    hwclock -r
    i2cdetect -y 0
    head -c 16 /dev/hwrng | hexdump -C
    dmesg | grep virtio
"""


def parser(description, devices=DEVICES):
    """The part of the command line that all kinds of guests have in common."""
    made = argparse.ArgumentParser(prog="make demo", description=description)
    made.add_argument("--device", default="i2c", choices=devices, help="what to show")
    return made


def main(args):
    """The command."""
    made = parser(__doc__.splitlines()[0], (*DEVICES, HOTPLUG))
    made.add_argument("--base", default="mainline", help="mainline, lts or a kernel tree")
    made.add_argument("--shell", action="store_true", help="leave me in a shell in the guest")
    options = made.parse_args(args)
    started = time.monotonic()
    if options.shell:
        return shell(options.base)
    say.step("getting virtio-msgd and the guest kernel ready")
    show(options.device, lambda window, programs: Bed("demo", [window], options.base,
                                                      programs=programs, memory="256M"))
    print(f"\ndone in {time.monotonic() - started:.0f} s; "
          "`make shell` leaves you in a shell in this guest")
    return 0
