# SPDX-License-Identifier: GPL-2.0-only
"""Debian packages: installed on this machine, or fetched from any suite and unpacked.

Fetching does not touch the system's package lists. It uses a sources.list and
lists of its own in the cache, and the mirror, proxies and other settings of the
machine's apt configuration, whatever form that has.
"""

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

from scripts import cache, say

RELEASES = ("bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing", "unstable")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def as_root(command):
    """COMMAND as root: unchanged, or through sudo."""
    if os.geteuid() == 0:
        return command
    if not shutil.which("sudo"):
        raise say.Error(f"not root and no sudo, cannot run: {' '.join(command)}",
                        "run it as root, then try again")
    return ["sudo", *command]


def missing(packages):
    """Those of PACKAGES that are not installed."""
    form = "${Package},${Architecture},${db:Status-Status}\n"
    query = subprocess.run(["dpkg-query", "-W", "-f", form, *packages],
                           capture_output=True, text=True, check=False)
    installed = set()
    for line in query.stdout.splitlines():
        name, arch, status = line.split(",")
        if status == "installed":
            installed.add(f"{name}:{arch}")
            if arch in ("all", host_arch()):
                installed.add(name)
    return [package for package in packages if package not in installed]


def install(packages):
    """Install what is missing of PACKAGES; says which. Costs nothing when all are there."""
    wanted = missing(packages)
    if not wanted:
        return
    with cache.lock("apt"):
        wanted = missing(packages)
        if not wanted:
            return
        say.step(f"installing Debian packages: {' '.join(wanted)}")
        # Something else may be installing: wait for it, within reason
        command = as_root(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y",
                           "-q", "-o", "DPkg::Lock::Timeout=300", "--no-install-recommends",
                           *wanted])
        if say.run(command, "apt-install", check=False):
            say.note("updating the package lists first (apt-get update)")
            say.run(as_root(["apt-get", "update", "-q"]), "apt-update", "apt-get update",
                    what_to_do="check the network and /etc/apt")
            say.run(command, "apt-install", "installing packages",
                    what_to_do=f"install by hand: apt-get install {' '.join(wanted)}")


def parse_mirrors(uris):
    """{suite: base URI} from what `apt-get update --print-uris` prints."""
    mirrors = {}
    for base, suite in re.findall(r"^'(\S+?)/?/dists/([^/']+(?:/updates)?)/InRelease'", uris,
                                  re.MULTILINE):
        mirrors.setdefault(suite, base)
    return mirrors


def choose_mirror(mirrors, suite):
    """The base URI that has SUITE, judged by what the machine's apt is configured with."""
    if suite in mirrors:
        return mirrors[suite]
    main = next((mirrors[name] for name in RELEASES if name in mirrors), None)
    if not suite.endswith("-security"):
        return main
    security = next((base for name, base in mirrors.items()
                     if name.endswith("-security") and name.split("-")[0] in RELEASES), None)
    return security or (main and re.sub(r"debian/?$", "debian-security", main))


def mirror(suite):
    """The base URI of this machine's Debian mirror for SUITE."""
    found = choose_mirror(parse_mirrors(say.output(["apt-get", "update", "--print-uris"])), suite)
    if not found:
        raise say.Error("apt is not configured with a Debian mirror",
                        "add one to /etc/apt/sources.list (see sources.list(5))")
    return found


class Suite:
    """apt's view of one Debian suite for one architecture, apart from the system's."""

    updated = set()

    def __init__(self, name, arch):
        self.name, self.arch = name, arch
        self.path = cache.directory("debian", f"{name}-{arch}")
        self.debs = cache.directory("debian", f"{name}-{arch}", "debs")

    def options(self):
        """apt-get options that make it use this directory only."""
        options = {
            "Dir::Etc::sourcelist": self.path / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::State": self.path / "state",
            "Dir::State::Lists": self.path / "lists",
            "Dir::State::status": self.path / "status",
            "Dir::Cache": self.path / "cache",
            "APT::Architecture": self.arch,
            "APT::Architectures": self.arch,
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        }
        return [word for key, value in options.items() for word in ("-o", f"{key}={value}")]

    def update(self):
        """Fetch the suite's package lists, once in a run."""
        if self.path in Suite.updated:
            return
        self.fetch_lists()
        Suite.updated.add(self.path)

    def fetch_lists(self):
        """Fetch the suite's package lists."""
        for name in ("lists/partial", "cache/archives/partial", "state"):
            (self.path / name).mkdir(parents=True, exist_ok=True)
        (self.path / "status").touch()
        say.note(f"updating the package lists of Debian {self.name} ({self.arch})")
        base = mirror(self.name)
        log = f"apt-update-{self.name}-{self.arch}"
        for signed_by in (KEYRING, newest_keyring):
            keyring = signed_by() if callable(signed_by) else signed_by
            (self.path / "sources.list").write_text("".join(
                f"{kind} [signed-by={keyring}] {base} {self.name} main\n"
                for kind in ("deb", "deb-src")))
            failed = say.run(["apt-get", *self.options(), "-q", "update"], log, check=False)
            text = say.log_file(log).read_text()
            if not failed and not re.search(r"^(E|W): .*(NO_PUBKEY|Failed to fetch)", text,
                                            re.MULTILINE):
                return
            if "NO_PUBKEY" not in text:
                break
        raise say.Error(f"cannot update the package lists of {self.name}, "
                        f"log: {say.log_file(log)}\n{say.last_lines(say.log_file(log))}",
                        "check the network and apt's proxy settings")

    def apt(self, command, packages, log):
        """apt-get COMMAND PACKAGES in debs/; with new lists if the ones there do not do."""
        words = ["apt-get", *self.options(), "-q", *command, *packages]
        if (self.path / "lists" / "partial").is_dir():
            if say.run(words, log, check=False, cwd=self.debs) == 0:
                return
        self.update()
        say.run(words, log, f"fetching {' '.join(packages)} from Debian {self.name}",
                cwd=self.debs, what_to_do="check the network, and that the package still exists")

    def cached(self, package):
        """The newest .deb of PACKAGE (name or name=version) that was fetched already."""
        name, _, version = package.partition("=")
        pattern = f"{name}_{version.replace(':', '%3a') or '*'}_*.deb"
        found = sorted(self.debs.glob(pattern), key=lambda path: path.stat().st_mtime)
        return found[-1] if found else None


def newest_keyring():
    """The newest archive keyring the machine's own suites have, for suites newer than it."""
    say.note("the installed debian-archive-keyring does not know this suite's keys: updating it")
    say.run(as_root(["apt-get", "update", "-q"]), "apt-update", "apt-get update",
            what_to_do="check the network and /etc/apt")
    say.run(as_root(["apt-get", "install", "-y", "-q", "debian-archive-keyring"]), "apt-install",
            "updating debian-archive-keyring")
    return KEYRING


@functools.cache
def host_arch():
    """This machine's Debian architecture."""
    return say.output(["dpkg", "--print-architecture"]).strip()


def fetch_all(packages, suite, arch=None):
    """Fetch PACKAGES (each name or name=version) of SUITE; returns the .deb files' paths."""
    arch = arch or host_arch()
    source = Suite(suite, arch)
    with cache.lock(f"debian-{suite}-{arch}"):
        wanted = [package for package in packages if not source.cached(package)]
        if wanted:
            say.step(f"fetching from Debian {suite} ({arch}): {' '.join(wanted)}")
            source.apt(["download"], wanted, f"apt-download-{suite}-{arch}")
    debs = {package: source.cached(package) for package in packages}
    lost = [package for package, path in debs.items() if not path]
    if lost:
        raise say.Error(f"apt-get download brought no file for {' '.join(lost)}")
    return list(debs.values())


def fetch(package, suite, arch=None):
    """Fetch one package; see fetch_all()."""
    return fetch_all([package], suite, arch)[0]


def ask(suite, arch, *query):
    """What apt-cache says to QUERY, by new package lists of SUITE."""
    source = Suite(suite, arch or host_arch())
    with cache.lock(f"debian-{suite}-{source.arch}"):
        source.update()
        return say.output(["apt-cache", *source.options(), *query])


def versions(package, suite, arch=None):
    """The versions of PACKAGE that SUITE has."""
    table = ask(suite, arch, "madison", package)
    return [line.split("|")[1].strip() for line in table.splitlines() if "Packages" in line]


def names(prefix, suite, arch=None):
    """The names of SUITE's packages that begin with PREFIX."""
    return ask(suite, arch, "pkgnames", prefix).split()


def newest(candidates, key=str):
    """The one of CANDIDATES whose key is the highest version as Debian orders them."""
    def compare(one, other):
        """-1 or 1, for cmp_to_key()."""
        older = subprocess.run(["dpkg", "--compare-versions", key(one), "lt", key(other)],
                               check=False).returncode == 0
        return -1 if older else 1
    return max(candidates, key=functools.cmp_to_key(compare))


def unpack(deb, directory):
    """Unpack a .deb's files below DIRECTORY; no maintainer script is run."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    say.output(["dpkg", "-x", deb, directory])


def fetch_tar(package, suite):
    """Fetch a source package's tar file, which has no patches applied; returns its path."""
    source = Suite(suite, host_arch())
    with cache.lock(f"debian-{suite}-{source.arch}"):
        if not list(source.debs.glob(f"{package}_*.orig.tar.xz")):
            say.step(f"fetching the source of {package} from Debian {suite}")
            source.apt(["source", "--download-only", "--tar-only"], [package],
                       f"apt-source-{package}-{suite}")
        return sorted(source.debs.glob(f"{package}_*.orig.tar.xz"))[-1]


def unpack_tar(tar, directory, *parts):
    """Unpack a source's tar file into the new DIRECTORY, or of it only PARTS (paths in the
    source). Python's tarfile of Debian 12 does not check names."""
    install(["xz-utils"])
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    say.run(["tar", "-xf", tar, "-C", directory, "--strip-components=1", "--wildcards",
             *(f"*/{part}" if part else "*" for part in parts or ("",))],
            f"unpack-{tar.name}", f"unpacking {tar.name}")


def fetch_source(package, suite):
    """Fetch and unpack (patches applied) a source package; returns its directory."""
    install(["dpkg-dev"])
    arch = host_arch()
    source = Suite(suite, arch)
    tree = cache.directory("debian", "src", suite) / package
    with cache.lock(f"debian-{suite}-{arch}"):
        if not tree.is_dir():
            say.step(f"fetching the source of {package} from Debian {suite}")
            source.apt(["source", "--download-only"], [package], f"apt-source-{package}")
            [dsc] = source.debs.glob(f"{package}_*.dsc")
            unfinished = tree.with_name(f"{package}.new")
            shutil.rmtree(unfinished, ignore_errors=True)
            say.run(["dpkg-source", "-x", dsc, unfinished], f"dpkg-source-{package}",
                    f"unpacking the source of {package}")
            unfinished.rename(tree)
    return tree
