# SPDX-License-Identifier: GPL-2.0-only
"""make modules and make modules_install: core and buses for an installed kernel.

What Kbuild needs is copied below out/modules/, a directory for each kernel, and built there:
kernels before 6.13 put the objects of modules beside their sources.
"""

import argparse
import os
import platform
import re
from pathlib import Path

from scripts import debian, kernel, say, series

OUT = say.REPO / "out" / "modules"
PACKAGES = ["gcc", "make", "libc6-dev", "libelf-dev", "patch", "kmod", "xz-utils"]
OLDEST = (6, 12)


def sources():
    """The files that modules are made of, as paths from the top: no tests."""
    patches = [patch for patch in series.patches("mainline")
               if not patch.name.endswith("-tests")]
    own = [name for patch in patches for name in patch.files
           if name.startswith(("drivers/virtio/", "include/"))]
    return ["Kbuild", *own, *(str(diff.relative_to(say.REPO)) for diff in diffs(own))]


def changes(diff):
    """The files that a diff changes."""
    return re.findall(r"^\+\+\+ b/(\S+)", diff.read_text(), re.MULTILINE)


def diffs(own):
    """The diffs of the series, for any kind of base, that change files of OWN."""
    return sorted(diff for diff in series.SERIES.glob("*/*.diff")
                  if any(name in own for name in changes(diff)))


def lay(directory):
    """Copy the sources below DIRECTORY; what did not change stays as it is."""
    wanted = sources()
    for name in wanted:
        path = directory / name
        content = (say.REPO / name).read_bytes()
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    for top in ("include", "series", "drivers"):
        for path in (directory / top).rglob("*"):
            if path.suffix in (".c", ".h", ".diff") and \
                    str(path.relative_to(directory)) not in wanted:
                path.unlink()


def find_headers(headers):
    """The directory of kernel headers that HEADERS means: a directory, a package, or by
    default those of the kernel that runs. A package is installed if it is not there."""
    chosen = headers or f"/lib/modules/{platform.release()}"
    if re.fullmatch(r"linux-headers-[\w.+~-]+", chosen):
        chosen = package_directory(chosen)
    for directory in (Path(chosen) / "build", Path(chosen)):
        if (directory / "include/config/kernel.release").is_file():
            return directory.resolve()
    raise say.Error(f"there are no kernel headers in {chosen}",
                    "apt-get install linux-headers-…, and name that package or its directory: "
                    "HEADERS=linux-headers-… or HEADERS=/lib/modules/…")


def package_directory(package):
    """The directory of a package of headers, or of what a package like linux-headers-amd64
    stands for."""
    debian.install([package])
    if not Path(f"/usr/src/{package}").is_dir():
        depends = say.output(["dpkg-query", "-W", "-f", "${Depends}", package])
        if match := re.match(r"linux-headers-[^ ,]+", depends):
            package = match[0]
    return f"/usr/src/{package}"


def release(headers):
    """The version of the kernel that HEADERS belong to."""
    name = (headers / "include/config/kernel.release").read_text().strip()
    number = re.match(r"(\d+)\.(\d+)", name)
    if not number or tuple(map(int, number.groups())) < OLDEST:
        raise say.Error(f"the headers in {headers} are of Linux {name}; the modules need "
                        f"{'.'.join(map(str, OLDEST))} or newer", "use a newer kernel")
    return name


def make(headers, directory, targets):
    """The command line of the kernel's make for the modules in DIRECTORY."""
    return ["make", "-C", headers, f"M={directory}", f"-j{os.cpu_count()}", *targets]


def built(directory):
    """The modules that were built in DIRECTORY."""
    return sorted(directory.glob("*.ko"))


def build(headers, variables=()):
    """Build for the kernel of HEADERS (see find_headers()); returns headers and directory."""
    debian.install(PACKAGES)
    found = find_headers(headers)
    name = release(found)
    directory = OUT / name
    say.step(f"building the modules for Linux {name}")
    lay(directory)
    say.run(["nice", *make(found, directory, [*variables, "modules"])], f"modules-{name}",
            "building the modules", env=kernel.environment())
    return found, directory


def parse(name, args):
    """The command line of either command."""
    parser = argparse.ArgumentParser(prog=f"make {name}")
    parser.add_argument("--headers", help="a directory of kernel headers, or a Debian package")
    parser.add_argument("--path", help="install below this directory (INSTALL_MOD_PATH)")
    parser.add_argument("variables", nargs="*", help="more for the kernel's make, as W=1")
    return parser.parse_args(args)


def modules_command(args):
    """Build, and say where the modules are."""
    options = parse("modules", args)
    _, directory = build(options.headers, options.variables)
    say.step("built:")
    for module in built(directory):
        print(module)
    return 0


def install_command(args):
    """Build, and install where modprobe finds them."""
    options = parse("modules_install", args)
    headers, directory = build(options.headers, options.variables)
    variables = list(options.variables)
    if options.path:
        variables.append(f"INSTALL_MOD_PATH={Path(options.path).resolve()}")
    command = make(headers, directory, [*variables, "modules_install"])
    target = Path(options.path or "/") / "lib" / "modules"
    say.step(f"installing them below {target / directory.name}")
    if not writable(target):
        command = debian.as_root(["env", f"PATH={kernel.environment()['PATH']}",
                                  *map(str, command)])
    say.run(command, f"modules-install-{directory.name}", "installing the modules",
            env=kernel.environment())
    return 0


def writable(path):
    """Whether the user may write in PATH, or make it."""
    while not path.exists():
        path = path.parent
    return os.access(path, os.W_OK)
