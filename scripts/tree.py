# SPDX-License-Identifier: GPL-2.0-only
"""A kernel source tree with our series on it: a base, plus one commit per patch.

A base is the name of one in series/bases.json, or the path of a kernel tree of the
user's own, which is only read. Trees are git repositories in the cache; laying the
series again touches only the files that differ, so builds stay incremental.
"""

import hashlib
import json
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

from scripts import cache, debian, say, series
from scripts.git import Git

BRANCH = "virtio-msg"
# One pack, little compression: importing 95,000 files takes seconds, not minutes.
QUICK_IMPORT = ("-c", "core.bigFileThreshold=1", "-c", "core.compression=1")


class Base:
    """A kernel source that the series can be laid on."""

    def __init__(self, name, path):
        self.name = name
        self.path = path
        self.git = Git(path)

    @property
    def commit(self):
        """The commit that is this kernel without our series."""
        return self.git.run("rev-parse", "refs/tags/base")

    @property
    def kind(self):
        """Which variant of the series fits: `mainline`, or `lts` for kernels with 64 features."""
        config = (self.path / "include/linux/virtio_config.h").read_text()
        return "mainline" if "get_extended_features" in config else "lts"


def bases():
    """What series/bases.json says."""
    return json.loads((series.SERIES / "bases.json").read_text())


def import_files(path, log):
    """Make the files in PATH a git repository with one commit, tagged `base`."""
    git = Git(path)
    git.run("init", "--quiet", "--initial-branch=base")
    say.note("importing the sources into git (about a minute)")
    say.run(git.command(*QUICK_IMPORT, "add", "--all", "--force"), log, "git add",
            env=git.environment)
    commit_base(git)


def commit_base(git):
    """Commit what is in the index as the base."""
    tree = git.run("write-tree")
    person = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
              for what, value in (("NAME", "base"), ("EMAIL", "base@localhost"),
                                  ("DATE", series.DATE))}
    made = git.run("commit-tree", tree, "-m", "The base kernel", **person)
    git.run("tag", "--force", "base", made)
    return made


def find_source(name):
    """(package, version, suite) of a base: as pinned, else the newest of its series."""
    pinned = bases()[name]
    package, version = pinned["package"], pinned["version"]
    found = []
    for suite in pinned["suites"]:
        if version in debian.versions(package, suite):
            return package, version, suite
        for name_there in debian.names(pinned["series"], suite):
            if re.fullmatch(r"linux-source-[0-9.]+", name_there):
                found += [(name_there, each, suite)
                          for each in debian.versions(name_there, suite)]
    if not found:
        raise say.Error(f"Debian has no {pinned['series']}* in {' or '.join(pinned['suites'])}",
                        "change series/bases.json")
    newest = debian.newest(found, key=lambda candidate: candidate[1])
    say.note(f"{name}: {package} {version}, the version last tested, is gone from Debian; "
             f"using {newest[0]} {newest[1]} instead")
    return newest


def fetch_base(name):
    """The base called NAME, fetched and imported if it is not in the cache."""
    pinned = bases()[name]
    chosen = cache.directory("tree") / f"{name}.json"
    source = None
    if chosen.exists():
        record = json.loads(chosen.read_text())
        if record["pinned"] == pinned:
            source = record["source"]
            if source[1] != pinned["version"]:
                say.note(f"{name}: {source[0]} {source[1]} in place of the pinned "
                         f"{pinned['version']}, which is gone from Debian")
    if source and (cache.directory("tree") / f"{source[0]}_{source[1]}").is_dir():
        return Base(name, cache.directory("tree") / f"{source[0]}_{source[1]}")
    say.step(f"base kernel {name}: not in the cache yet")
    package, version, suite = find_source(name)
    path = cache.directory("tree") / f"{package}_{version}"
    if not path.is_dir():
        unpack_source(debian.fetch(f"{package}={version}", suite), path, name)
    chosen.write_text(json.dumps({"pinned": pinned, "source": [package, version, suite]}))
    return Base(name, path)


def unpack_source(deb, path, name):
    """Turn a linux-source package into a base at PATH."""
    debian.install(["xz-utils"])
    unfinished, unpacked = path.with_name(f"{path.name}.new"), path.with_name(f"{path.name}.deb")
    for directory in (unfinished, unpacked):
        shutil.rmtree(directory, ignore_errors=True)
    unfinished.mkdir()
    say.step(f"unpacking the sources of {name} ({deb.name.partition('_')[2]})")
    debian.unpack(deb, unpacked)
    [tarball] = (unpacked / "usr/src").glob("linux-source-*.tar.xz")
    files = say.Progress("unpacking")
    count = iter(range(1, 10 ** 9))
    say.run(["tar", "-xvf", tarball, "-C", unfinished, "--strip-components=1"], f"unpack-{name}",
            "unpacking the kernel sources", lambda _: files.at(next(count), "files"))
    shutil.rmtree(unpacked)
    import_files(unfinished, f"import-{name}")
    unfinished.rename(path)


def own_base(directory):
    """A base made from a kernel tree of the user's own, which is only read."""
    source = Path(directory).resolve()
    makefile = source / "Makefile"
    version = re.search(r"^VERSION = (\d+)\nPATCHLEVEL = (\d+)",
                        makefile.read_text() if makefile.is_file() else "", re.MULTILINE)
    if not version:
        raise say.Error(f"{directory} is not the top of a Linux source tree",
                        "KERNEL= names the directory that has Makefile, MAINTAINERS, drivers/ …")
    if tuple(map(int, version.groups())) < (6, 12):
        raise say.Error(f"{directory} is Linux {'.'.join(version.groups())}; the series needs "
                        "6.12 or newer", "use a newer kernel")
    mark = hashlib.sha256(str(source).encode()).hexdigest()[:12]
    path = cache.directory("tree") / f"own-{source.name}-{mark}"
    if (source / ".git").exists():
        follow_repository(source, path)
    else:
        follow_directory(source, path)
    return Base(f"own-{source.name}-{mark}", path)


def follow_repository(source, path):
    """Make PATH a repository that shares SOURCE's objects, with SOURCE's HEAD as base."""
    theirs = Git(source)
    head = theirs.run("rev-parse", "HEAD")
    if theirs.run("status", "--porcelain", "--untracked-files=no"):
        say.note(f"{source} has changes that are not committed: they are left out")
    git = Git(path)
    if not path.is_dir():
        say.step(f"reading {source} (it is not changed; the series is laid on a copy)")
        unfinished = path.with_name(f"{path.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        Git(path.parent).run("clone", "--quiet", "--shared", "--no-checkout", source, unfinished)
        unfinished.rename(path)
    if git.try_run("rev-parse", "--verify", "--quiet", "refs/tags/base")[1].strip() != head:
        git.run("fetch", "--quiet", "origin", "HEAD")
        git.run("tag", "--force", "base", head)
        git.run("checkout", "--quiet", "--force", "--detach", head)


def follow_directory(source, path):
    """Make PATH a repository whose base is a copy of SOURCE, a directory without git."""
    say.step(f"reading {source} (it is not changed; the series is laid on a copy)")
    git = Git(path)
    if not path.is_dir():
        path.mkdir()
        git.run("init", "--quiet", "--initial-branch=base")
    index = path / ".git" / "source-index"
    copy = Git(path, index=index)
    say.note("looking for what changed there (the first time a minute or more)")
    say.run(copy.command("--work-tree", source, *QUICK_IMPORT, "add", "--all", "--force", "."),
            f"import-{path.name}", "git add", env=copy.environment, cwd=source)
    made = commit_base(copy)
    if git.try_run("rev-parse", "--verify", "--quiet", "HEAD")[0]:
        git.run("checkout", "--quiet", "--force", "--detach", made)


def find(base):
    """The Base for a name or a directory."""
    debian.install(["git"])
    if base in bases():
        with cache.lock(f"base-{base}"):
            return fetch_base(base)
    if Path(base).is_dir():
        with cache.lock("base-own"):
            return own_base(base)
    raise say.Error(f"there is no base kernel {base!r}",
                    f"BASE= is one of {', '.join(bases())}; KERNEL= is a directory")


def commits(base):
    """(Base, top commit) of the series committed on BASE; no work tree is touched."""
    found = find(base)
    return found, series.commit(found.path, found.commit, found.kind)


def lay(base="mainline"):
    """The path of the tree of BASE with the current series on it."""
    found = find(base)
    with cache.lock(f"tree-{found.path.name}", shared=True):
        if is_laid(found):
            return found.path
    with cache.lock(f"tree-{found.path.name}"):
        if not is_laid(found):
            say.step(f"laying the series on {found.name} ({found.path.name})")
            top = series.commit(found.path, found.commit, found.kind)
            found.git.run("checkout", "--quiet", "--force", "-B", BRANCH, top)
            stamp(found).write_text(f"{series.fingerprint(found.kind, found.commit)} {top}")
    return found.path


def stamp(base):
    """The file that says what was laid last."""
    return base.path / ".git" / "virtio-msg-series"


def is_laid(base):
    """Whether the tree holds the current series."""
    if not stamp(base).exists():
        return False
    fingerprint, top = stamp(base).read_text().split()
    return (fingerprint == series.fingerprint(base.kind, base.commit)
            and base.git.run("rev-parse", "HEAD") == top)


@contextmanager
def reading(path):
    """Keep others from laying a tree anew while it is being built from."""
    with cache.lock(f"tree-{Path(path).name}", shared=True):
        yield
