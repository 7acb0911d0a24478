# SPDX-License-Identifier: GPL-2.0-only
"""make xen: a Xen guest reads and sets a clock in Dom0 over virtio-msg.

    make xen                        boot Xen, Dom0 and a guest in QEMU, show, power off
    make xen ARGS=--built-in        without a backend: virtio-msgd's own I2C device
    make xen PROMPT=1               boot Xen and Dom0 and leave you at Dom0's prompt
"""

import argparse
import re
import subprocess

from scripts import say
from testbed.narration import NEW_TIME, RTC_ADDRESS, block, line, title
from testbed.xen import machine
from testbed.xen.chain import Chain
from testbed.xen.guest import Guest
from testbed.xen.service import BUILT_IN, I2cBackend, Service

BOOT_LINES = re.compile(r"Booting Linux|Linux version|Xen.*support|virtio|rtc|guest: up")


def show_host(dom0):
    """What runs below the guest."""
    title("The host")
    info = dict(each.split(":", 1) for each in dom0.run("xl info").splitlines() if ":" in each)
    info = {key.strip(): value.strip() for key, value in info.items()}
    line("hypervisor", f"Xen {info['xen_major']}.{info['xen_minor']}")
    line("Dom0", f"Linux {info['release']}, {info['machine']}, {info['nr_cpus']} CPU")


def show_boot(guest):
    """The lines of the guest's boot that matter here."""
    title("The guest's boot")
    block("\n".join(each for each in guest.log().splitlines() if BOOT_LINES.search(each)))


def show_device(guest):
    """Which device the guest found, on what."""
    title("The device")
    path = "/sys/bus/virtio/devices/virtio0"
    bus = guest.run(f"basename $(readlink -f {path}/..)").strip()
    driver = guest.run(f"basename $(readlink {path}/driver)").strip()
    transport = guest.run(f"basename $(readlink {path}/../driver)").strip()
    line("virtio0", f"driver {driver}")
    line("its bus", f"{bus}, driver {transport}")
    line("grants", "yes" if guest.run(f"ls {path}/../of_node/iommus 2>/dev/null || true").strip()
         else "no")


def show_clock(guest):
    """The real-time clock as /dev/rtc0: read, set, read back."""
    title("The clock, in the guest")
    guest.run(f"echo ds1338 {RTC_ADDRESS} >/sys/bus/i2c/devices/i2c-0/new_device")
    guest.wait("test -e /dev/rtc0", 30, "/dev/rtc0")
    adapter = guest.run("cat /sys/bus/i2c/devices/i2c-0/name").strip()
    chip = guest.run("cat /sys/class/rtc/rtc0/device/name").strip()
    line("/dev/rtc0", f"{chip} on {adapter}")
    line("hwclock -r", guest.run("hwclock -ru").strip())
    guest.run(f"date -us '{NEW_TIME}' >/dev/null && hwclock -wu")
    line("hwclock -w", NEW_TIME)
    read_back = guest.run("hwclock -ru").strip()
    line("hwclock -r", read_back)
    if "2031" not in read_back or "04:05:" not in read_back:
        raise say.Error(f"the clock was set to {NEW_TIME} but reads {read_back}")


def show_backend(dom0, backend):
    """The same clock from Dom0's end of the I2C bus."""
    title("The clock, from Dom0's side of the bus")
    line("I2C bus", f"{backend.BUS} (i2c-{backend.bus})")
    registers = [int(dom0.run(f"i2cget -fy {backend.bus} {RTC_ADDRESS} {register}"), 16)
                 for register in range(7)]
    line("DS1338's registers", " ".join(f"{value:02x}" for value in registers))
    second, minute, hour, _, day, month, year = registers
    seen = f"20{year:02x}-{month:02x}-{day:02x} {hour:02x}:{minute:02x}:{second & 0x7f:02x}"
    line("which is", seen)
    if not seen.startswith(NEW_TIME[:-3]):
        raise say.Error(f"the guest set the clock to {NEW_TIME}, Dom0 sees {seen}")


def show_cost(counters):
    """What it took, by virtio-msgd's count."""
    title("What it took")
    line("traps", f"{counters['traps']['total'] + counters['ioeventfds']}, "
         f"{counters['ioeventfds']} of them completed by Dom0's kernel")
    for way in ("read", "write"):
        line(f"  {way}", ", ".join(f"{name} {count}"
                                   for name, count in counters["traps"][way].items()))
    line("requests", sum(counters["requests"].values()))
    line("kicks", f"{counters['kicks']} by virtio-msgd, {counters['ioeventfds']} by ioeventfd")
    line("interrupts", f"{counters['interrupts']} by virtio-msgd, the others by irqfd")
    line("grants mapped", f"{counters['grants']} pages, by virtio-msgd")


def show(dom0, rules, backend=None):
    """A guest, its clock, and what that took."""
    show_host(dom0)
    say.step("starting virtio-msgd in Dom0: " + ", ".join(f"--xen {rule}" for rule in rules))
    with Service(dom0, rules) as service:
        say.step("xl create domu.conf")
        guest = Guest(dom0).start()
        show_boot(guest)
        show_device(guest)
        show_clock(guest)
        if backend:
            show_backend(dom0, backend)
        show_cost(service.counters())
        guest.destroy()


def chain_demo(chain, built_in):
    """The whole chain, or with virtio-msgd's own I2C bus and clock at its end."""
    say.step("booting Xen and Dom0")
    with chain.boot() as dom0:
        say.note(f"console: {dom0.log}")
        if built_in:
            show(dom0, BUILT_IN)
            return
        say.step("starting vhost-device-i2c in Dom0")
        with I2cBackend(dom0) as backend:
            show(dom0, (backend.rule,), backend)


def prompt(chain):
    """Leave the user at Dom0's prompt."""
    say.step("booting Xen and Dom0 (leave with `poweroff -f`, or Ctrl-a x)")
    return subprocess.call(machine.qemu(chain.hypervisor, chain.kernel, chain.initrd))


def main(args):
    """The command."""
    parser = argparse.ArgumentParser(prog="make xen", description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="mainline", help="mainline, lts or a kernel tree")
    parser.add_argument("--prompt", action="store_true", help="leave me at Dom0's prompt")
    parser.add_argument("--built-in", action="store_true",
                        help="virtio-msgd's own I2C device instead of vhost-device-i2c")
    options = parser.parse_args(args)
    chain = Chain(options.base)
    if options.prompt:
        return prompt(chain)
    return chain_demo(chain, options.built_in)
