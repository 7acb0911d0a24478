# SPDX-License-Identifier: GPL-2.0-only
"""A stage of make test: modules and packages as whoever uses a distribution's kernel has them.

On a fresh Debian for each base: `make modules` against the headers that Debian has of it, and
the packages of `make deb`, installed and purged.
"""

import platform
import re
import tempfile
from pathlib import Path

from scripts import deb, debian, say
from scripts.series import SERIES
from testbed.chroot import Release

TITLE = "modules and packages on a fresh Debian"
TOOLS = ["make", "gcc", "libc6-dev", "libelf-dev", "patch", "kmod", "xz-utils", "python3",
         "ca-certificates"]
SOURCE, TARGET = "/usr/src/checkout", "/usr/src/installed"
# What may be left of a package that was purged
LEFT = ("/usr/src/virtio-msg*", "/var/lib/dkms/virtio-msg*", "/lib/modules/*/updates/dkms/virtio*",
        "/usr/bin/virtio-msgd", "/lib/systemd/system/virtio-msgd*", "/etc/systemd/system/*/virtio*",
        "/usr/share/doc/virtio-msg*", "/var/lib/systemd/*/virtio*")


def host_release():
    """This machine's Debian release, for which virtio-msgd's package is built."""
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "")


def newest(arch, flavour=""):
    """The Debian with the newest headers, of a FLAVOUR of the kernel: "rt-" for example."""
    return Release("trixie", ["trixie-backports"],
                   [*TOOLS, f"linux-headers-{flavour}{arch}/trixie-backports"],
                   (SERIES / "bases.json").read_text())


def releases(host, arch):
    """The Debian with the headers of 6.12 (this machine's release) and that with the newest
    ones. They are made anew when series/bases.json names other kernels."""
    stamp = (SERIES / "bases.json").read_text()
    lts = f"linux-headers-6.12-{arch}" if host == "bookworm" else f"linux-headers-{arch}"
    suites = [f"{host}-security"] if host == "bookworm" else []
    return {
        "lts": Release(host, suites, [*TOOLS, lts], stamp),
        "mainline": newest(arch),
    }


def parse_modinfo(text):
    """{field: value} of what modinfo prints; of aliases and parameters the last one."""
    return dict(re.findall(r"^(\w+):[ \t]*(.*)$", text, re.MULTILINE))


def wrong_module(info, name, kernel, needs):
    """What is wrong with modinfo's INFO of the module NAME, as lines."""
    wanted = {"name": name, "license": "GPL"}
    problems = [f"{field} is {info.get(field)!r}, not {value!r}"
                for field, value in wanted.items() if info.get(field) != value]
    if needs not in info.get("depends", "nothing").split(","):
        problems.append(f"it depends on {info.get('depends')!r}, not on {needs!r}")
    if info.get("vermagic", "").split(" ")[0] != kernel:
        problems.append(f"it is for {info.get('vermagic')!r}, not {kernel}")
    if not info.get("description"):
        problems.append("it has no description")
    return problems


def names():
    """{module: what it depends on, among others} of all that Kbuild makes."""
    core, window, *buses = deb.module_names((say.REPO / "Kbuild").read_text())
    return {core: "", window: core, **{bus: window for bus in buses}}


def check_modules(results, chroot, title, kernel, prefix):
    """All modules are in PREFIX and say of themselves what they should."""
    for name, needs in names().items():
        text = chroot.output("sh", "-c", f"modinfo $(find {prefix} -name '{name}.ko*')")
        results.check(f"{title}: modinfo {name}",
                      wrong_module(parse_modinfo(text), name, kernel, needs))


def build_modules(results, chroot, title, kernel):
    """make modules and make modules_install."""
    with tempfile.TemporaryDirectory() as scratch:
        deb.copy_files(Path(scratch))
        chroot.copy(scratch, SOURCE)
    headers = f"HEADERS=/lib/modules/{kernel}"
    chroot.run(f"modules-{title}", "make", "-C", SOURCE, "modules", "W=1", headers)
    log = chroot.output("cat", f"{SOURCE}/out/log/modules-{kernel}.log")
    complaints = [line for line in log.splitlines()
                  if re.search(r"\b(warning|error)\b", line, re.IGNORECASE)]
    if not re.search(r"^  CC \[M\] .*virtio_msg\.o$", log, re.MULTILINE):
        complaints.append("it did not compile virtio_msg.c")
    results.check(f"{title}: make modules W=1", complaints)
    chroot.run(f"modules-install-{title}", "make", "-C", SOURCE, "modules_install", headers,
               f"INSTALL_MOD_PATH={TARGET}")
    check_modules(results, chroot, f"{title}: make modules_install", kernel,
                  f"{TARGET}/lib/modules/{kernel}")


def install(chroot, title, packages):
    """Install packages and what they need, as an administrator would."""
    for path in packages:
        chroot.copy(path, f"/tmp/{path.name}")
    command = ["apt-get", "install", "-q", "-y", "--no-install-recommends",
               *(f"/tmp/{path.name}" for path in packages)]
    try:
        return chroot.run(f"install-{title}", *command)
    except say.Error:
        # The lists in the image are older than what the mirror has
        chroot.run(f"update-{title}", "apt-get", "-q", "update")
        return chroot.run(f"install-{title}", *command)


def check_dkms(results, chroot, title, kernel):
    """dkms has built the modules, for the kernel whose headers are there."""
    status = chroot.output("dkms", "status")
    wanted = rf"virtio-msg/\S+, {re.escape(kernel)}, \S+: installed$"
    results.check(f"{title}: dkms built the modules",
                  [] if re.search(wanted, status, re.MULTILINE) else [f"dkms status: {status}"])
    check_modules(results, chroot, f"{title}: virtio-msg-dkms", kernel,
                  f"/lib/modules/{kernel}/updates/dkms")


def check_program(results, chroot, title):
    """virtio-msgd runs there, and has its unit and manual page."""
    said = chroot.output("virtio-msgd", "--version").strip()
    expected = f"virtio-msgd {deb.project_version()}"
    results.check(f"{title}: virtio-msgd --version", [] if said == expected else [said])
    usage = chroot.output("virtio-msgd", "--help")
    results.check(f"{title}: virtio-msgd --help serves Xen",
                  [] if "--xen" in usage else usage.splitlines())
    wanted = ("/lib/systemd/system/virtio-msgd.service", "/usr/share/man/man1/virtio-msgd.1.gz",
              "/usr/share/doc/virtio-msgd/examples/virtio-msgd.conf",
              "/etc/systemd/system/multi-user.target.wants/virtio-msgd.service")
    links = chroot.output("sh", "-c", f"ls -d {' '.join(wanted)} 2>&1 || :").splitlines()
    results.check(f"{title}: virtio-msgd's unit, manual page and examples",
                  [line for line in links if line not in wanted])


def purge(results, chroot, title, packages):
    """Purge the packages: nothing is left."""
    chroot.run(f"purge-{title}", "apt-get", "purge", "-q", "-y", *packages)
    states = chroot.output("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n")
    left = [line for line in states.splitlines() if line.split(" ")[0] in packages]
    results.check(f"{title}: purged, nothing is left", left + chroot.find(*LEFT))


def test_on(results, base, release, packages):
    """All tests on the Debian for a base, which can install PACKAGES ({name: path})."""
    title = f"{base}, Debian {release.name}"
    with release.fresh() as chroot:
        [kernel] = chroot.output("ls", "/lib/modules").split()
        say.note(f"{title}: headers of Linux {kernel}")
        build_modules(results, chroot, base, kernel)
        install(chroot, base, packages.values())
        check_dkms(results, chroot, base, kernel)
        if "virtio-msgd" in packages:
            check_program(results, chroot, base)
        purge(results, chroot, base, list(packages))


def run(results):
    """The stage."""
    host = host_release()
    dkms, program = deb.build()
    results.check("lintian", deb.lintian())
    for base, release in releases(host, debian.host_arch()).items():
        packages = {"virtio-msg-dkms": dkms}
        # It is for the release that it was built on
        if release.name == host:
            packages["virtio-msgd"] = program
        results.stage(f"{TITLE}: {base}", test_on, base, release, packages)
