# SPDX-License-Identifier: GPL-2.0-only
"""make deb: the packages virtio-msg-dkms and virtio-msgd, with debhelper.

The repository's files are copied into the cache and completed there by what debian/ leaves
open: who makes the packages, the version, and which modules there are.
"""

import argparse
import email.utils
import re
import shutil

from scripts import cache, debian, kernel, modules, say, series
from scripts.git import Git, identity

OUT = say.REPO / "out" / "deb"
CONTROL = say.REPO / "debian" / "control"
# What any source package needs to be built, and what looks at the result
PACKAGES = ["dpkg-dev", "build-essential", "fakeroot", "lintian"]
RELATION = re.compile(r"^([a-z0-9][a-z0-9+.-]+)( \([^)]*\))?( \[([^]]*)\])?$")
FILLED_IN = ("control", "virtio-msg-dkms.dkms")


def build_dependencies(control, arch):
    """The names of the packages that building takes, of CONTROL's text."""
    field = re.search(r"^Build-Depends:(.*(?:\n .*)*)", control, re.MULTILINE)[1]
    names = []
    for relation in field.split(","):
        match = RELATION.match(relation.strip())
        if not match:
            raise say.Error(f"{CONTROL}: Build-Depends: {relation.strip()!r} is not understood")
        name, _, _, archs = match.groups()
        if not archs or arch in archs.split():
            names.append({"debhelper-compat": "debhelper"}.get(name, name))
    return names


def project_version():
    """The version that meson.build has."""
    text = (say.REPO / "virtio-msgd" / "meson.build").read_text()
    return re.search(r"^  version: '([^']+)'", text, re.MULTILINE)[1]


def version(project, tag, count, commit, changed):
    """The packages' version: the project's at its tag, before it (~) anywhere else."""
    if tag == f"v{project}" and not changed:
        return project
    return f"{project}~git{count}.{commit}" + ("+changed" if changed else "")


def describe(git):
    """(version, date) of what is checked out; the date is that of the commit."""
    tag = git.try_run("describe", "--tags", "--exact-match", "HEAD")[1].strip()
    number = version(project_version(), tag, git.run("rev-list", "--count", "HEAD"),
                     git.run("rev-parse", "--short=8", "HEAD"),
                     git.run("status", "--porcelain"))
    return number, email.utils.formatdate(int(git.run("log", "-1", "--format=%ct")))


def changelog(number, date, who):
    """debian/changelog: where the changes are told."""
    return (f"virtio-msg ({number}) unstable; urgency=medium\n\n"
            f"  * Built from git, whose log tells what changed.\n\n"
            f" -- {who[0]} <{who[1]}>  {date}\n")


def module_names(kbuild):
    """The modules that Kbuild's text makes."""
    return re.findall(r"^obj-\S+ [:+]= (\w+)\.o$", kbuild, re.MULTILINE)


def dkms_lines(names):
    """What dkms.conf says of each module."""
    return "\n".join(f'BUILT_MODULE_NAME[{index}]="{name}"\n'
                     f'DEST_MODULE_LOCATION[{index}]="/updates/dkms"'
                     for index, name in enumerate(names))


def copy_files(directory):
    """Copy all of the repository's files, as they are, below DIRECTORY."""
    listed = Git(say.REPO).run("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (say.REPO / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(say.REPO / name, directory / name)


def lay(directory, who, number, date):
    """Make DIRECTORY a copy of the repository that can be built as packages."""
    shutil.rmtree(directory, ignore_errors=True)
    copy_files(directory)
    there = directory / "debian"
    names = module_names((directory / "Kbuild").read_text())
    for name in FILLED_IN:
        text = series.fill_in((there / name).read_text(), who)
        (there / name).write_text(text.replace("@MODULES@", dkms_lines(names)))
    (there / "changelog").write_text(changelog(number, date, who))
    (there / "modules").write_text("".join(f"{name}\n" for name in modules.sources()))


def build():
    """Build both packages; returns their paths, virtio-msg-dkms' first."""
    debian.install(PACKAGES + build_dependencies(CONTROL.read_text(), debian.host_arch()))
    who = identity()
    if not who:
        raise say.Error("git does not know who you are, and packages have a maintainer",
                        "git config --global user.name …; git config --global user.email …")
    number, date = describe(Git(say.REPO))
    name = cache.of_checkout("deb")
    directory = cache.directory("build", name)
    with cache.lock(f"build-{name}"):
        say.step(f"building the Debian packages, version {number}")
        lay(directory / "virtio-msg", who, number, date)
        for old in [*directory.glob("*.deb"), *directory.glob("*.changes")]:
            old.unlink()
        say.run(["nice", "dpkg-buildpackage", "--build=binary", "--no-sign"], "deb",
                "dpkg-buildpackage", cwd=directory / "virtio-msg",
                env={**kernel.environment(), "DEB_BUILD_OPTIONS": "noautodbgsym"})
        return collect(directory)


def collect(directory):
    """Move what was built in DIRECTORY to out/deb/; returns the packages' paths."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    for path in directory.glob("virtio-msg*_*"):
        shutil.move(path, OUT / path.name)
    return [next(OUT.glob(f"{name}_*.deb")) for name in ("virtio-msg-dkms", "virtio-msgd")]


def lintian():
    """What lintian says of the packages, as lines."""
    [changes] = OUT.glob("*.changes")
    say.run(["lintian", "--display-info", "--allow-root", changes], "lintian", check=False,
            env=kernel.environment())
    return [line for line in say.log_file("lintian").read_text().splitlines()[1:]
            if not line.startswith("N:")]


def main(args):
    """The command: build, have lintian look, and say where the packages are."""
    argparse.ArgumentParser(prog="make deb").parse_args(args)
    packages = build()
    for line in lintian():
        say.note(f"lintian: {line}")
    say.step("built:")
    for path in packages:
        print(path)
    return 0
