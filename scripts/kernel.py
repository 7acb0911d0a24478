# SPDX-License-Identifier: GPL-2.0-only
"""Configure and build a kernel from a tree that scripts.tree laid.

Build directories and the compiler's cache (ccache) are in the cache, so only what
changed is built again.
"""

import os
import re
from pathlib import Path

from scripts import cache, debian, say, tree
from scripts.git import Git

PACKAGES = ["gcc", "make", "flex", "bison", "bc", "libc6-dev", "libelf-dev", "libssl-dev",
            "ccache", "xz-utils", "cpio", "kmod", "perl", "python3", "rsync"]
# The prefix of the cross compiler for an architecture other than this machine's.
CROSS = {"arm64": "aarch64-linux-gnu-"}
BUILT = re.compile(r"^ {2}(CC|AS|AR|LD|HOSTCC|CC \[M\]|LD \[M\]) ")


def environment():
    """The environment for the kernel's own build: Debian's tools, nothing of the user's."""
    keep = {name: value for name, value in os.environ.items()
            if name in ("HOME", "USER", "TERM", "TMPDIR", "CCACHE_DIR")}
    return {**keep, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
            "CCACHE_DIR": keep.get("CCACHE_DIR", str(cache.directory("ccache"))),
            "CCACHE_BASEDIR": str(cache.root()), "CCACHE_NOHASHDIR": "1",
            "KBUILD_BUILD_TIMESTAMP": "2026-01-01", "KBUILD_BUILD_USER": "virtio-msg",
            "KBUILD_BUILD_HOST": "virtio-msg"}


def machine_arch():
    """The kernel's name for this machine's architecture."""
    return {"amd64": "x86_64"}.get(debian.host_arch(), debian.host_arch())


def cross_prefix(arch):
    """CROSS_COMPILE for ARCH, empty when this machine's compiler does."""
    return "" if arch in ("um", machine_arch()) else CROSS[arch]


def make(source, build, arch, targets, variables=()):
    """The command line for make in SOURCE with BUILD as its output directory."""
    cross = cross_prefix(arch)
    words = ["nice", "make", "-C", source, f"O={build}", f"ARCH={arch}", f"-j{os.cpu_count()}",
             f"CC=ccache {cross}gcc", "HOSTCC=ccache gcc"]
    if cross:
        words.append(f"CROSS_COMPILE={cross}")
    return [*words, *variables, *targets]


def install_tools(arch):
    """Install what building for ARCH takes."""
    debian.install(PACKAGES + ([f"gcc-{cross_prefix(arch)[:-1].replace('_', '-')}"]
                               if cross_prefix(arch) else []))


def parse_options(text):
    """{option: value} of a configuration; a value of n stands for `is not set`."""
    options = {}
    for line in text.splitlines():
        if match := re.match(r"(CONFIG_\w+)=(.*)", line):
            options[match[1]] = match[2]
        elif match := re.match(r"# (CONFIG_\w+) is not set", line):
            options[match[1]] = "n"
    return options


def unmet(wanted, config):
    """The options that CONFIG (text) does not have as WANTED (text) says, as lines."""
    got = parse_options(config)
    return [f"{option}={value} (is {got.get(option, 'n')})"
            for option, value in parse_options(wanted).items() if got.get(option, "n") != value]


def configure(source, build, arch, wanted, start="allnoconfig", variables=()):
    """Make BUILD/.config of START and the options WANTED (text), and check that they took."""
    stamp = build / ".configured"
    state = "\n".join([wanted, start, *variables, cross_prefix(arch),
                       Git(source).run("rev-parse", "HEAD")])
    if stamp.exists() and stamp.read_text() == state and (build / ".config").exists():
        return
    log = f"config-{build.name}"
    fragment = build / "wanted.config"
    fragment.write_text(wanted)
    command = make(source, build, arch, [start], [*variables, f"KCONFIG_ALLCONFIG={fragment}"])
    if start != "allnoconfig":
        say.run(make(source, build, arch, [start], variables), log, f"make {start}",
                env=environment())
        with open(build / ".config", "a", encoding="utf-8") as config:
            config.write(wanted)
        command = make(source, build, arch, ["olddefconfig"], variables)
    say.run(command, log, "configuring the kernel", env=environment())
    lost = unmet(wanted, (build / ".config").read_text())
    if lost:
        raise say.Error(f"the kernel's configuration ({build}) did not take: {', '.join(lost)}",
                        "see what the options depend on, with make menuconfig in that directory")
    stamp.write_text(state)


def compile_kernel(source, build, arch, targets, variables=(), log=None, what="building",
                   objects=None):
    """Run make for TARGETS and say how far it is; returns the log's path."""
    log = log or f"build-{build.name}"
    progress = say.Progress(what, f"about {objects}" if objects else None)
    built = 0

    def on_line(line):
        nonlocal built
        if BUILT.match(line):
            built += 1
            progress.at(built, "objects")

    say.run(make(source, build, arch, targets, variables), log, what, on_line,
            env=environment())
    return say.log_file(log)


def build(base, name, arch="um", fragments=(), start="allnoconfig", targets=("all",),
          variables=(), objects=None):
    """Build the kernel of BASE with the series, configured as START plus FRAGMENTS.

    FRAGMENTS are files or, if they contain a newline or "=", options themselves. NAME
    tells builds with different options apart. VARIABLES go to make (for example W=1).
    Returns the build directory.
    """
    install_tools(arch)
    source = tree.lay(base)
    directory = cache.directory("build", source.name, f"{name}-{arch}")
    wanted = "".join(text(fragment) for fragment in fragments)
    what = f"building the {name} kernel ({source.name}, {arch})"
    with cache.lock(f"build-{source.name}-{name}-{arch}"), tree.reading(source):
        say.step(what)
        configure(source, directory, arch, wanted, start, variables)
        compile_kernel(source, directory, arch, targets, variables,
                       f"build-{source.name}-{name}-{arch}", what, objects)
    return directory


def text(fragment):
    """The options of a fragment: a file's content, or the string itself."""
    content = fragment if isinstance(fragment, str) and ("=" in fragment or "\n" in fragment) \
        else Path(fragment).read_text()
    return content.rstrip("\n") + "\n"


