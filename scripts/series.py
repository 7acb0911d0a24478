# SPDX-License-Identifier: GPL-2.0-only
"""The patch series: what is in series/, and laying it on a base as commits.

Each patch is a directory series/NN-name/ with

  message        the commit message, without Signed-off-by
  files          the repository's files that the patch adds, one per line
  insert         lines that go into files that exist by then, see scripts/inserts.py
  *.diff         changes of files that exist by then, applied in order of name;
                 NAME.mainline.diff and NAME.lts.diff only on that kind of base

A patch that has nothing for a base is not part of that base's series. In messages,
diffs and files @NAME@ and @EMAIL@ stand for whoever makes the series.
"""

import hashlib
import tempfile
from pathlib import Path

from scripts import inserts, say
from scripts.git import Git, identity

SERIES = say.REPO / "series"
KINDS = ("mainline", "lts")
NOBODY = ("nobody", "nobody@localhost")
# Commits get a fixed date, so that the same content is the same commit.
DATE = "2026-01-01T00:00:00Z"


class Patch:
    """One patch of the series."""

    def __init__(self, path):
        self.path = Path(path)
        self.name = self.path.name

    @property
    def message(self):
        """The commit message."""
        return (self.path / "message").read_text()

    @property
    def subject(self):
        """The first line of the commit message."""
        return self.message.partition("\n")[0]

    @property
    def files(self):
        """The repository's files this patch adds, as paths from the top."""
        listed = self.path / "files"
        lines = listed.read_text().splitlines() if listed.exists() else []
        return [line.strip() for line in lines if line.strip()]

    @property
    def inserts(self):
        """What this patch inserts into files that exist."""
        listed = self.path / "insert"
        return inserts.parse(listed.read_text(), listed) if listed.exists() else []

    def diffs(self, kind):
        """The diff files for KIND of base."""
        others = tuple(f".{other}.diff" for other in KINDS if other != kind)
        return sorted(path for path in self.path.glob("*.diff")
                      if not path.name.endswith(others))

    def is_for(self, kind):
        """Whether there is anything in this patch for KIND of base."""
        return bool(self.files or self.inserts or self.diffs(kind))


def patches(kind):
    """The patches for KIND of base, in order."""
    every = [Patch(path.parent) for path in sorted(SERIES.glob("[0-9]*/message"))]
    for patch in every:
        if not any(patch.is_for(each) for each in KINDS):
            raise say.Error(f"patch {patch.name} carries nothing", "give it files or a diff")
    return [patch for patch in every if patch.is_for(kind)]


def own_files(kind):
    """Every file the series adds, as paths from the top."""
    return [name for patch in patches(kind) for name in patch.files]


def fill_in(text, who):
    """TEXT with the placeholders replaced."""
    return text.replace("@NAME@", who[0]).replace("@EMAIL@", who[1])


def fingerprint(kind, base_commit):
    """Changes whenever laying the series on BASE_COMMIT would give something else."""
    digest = hashlib.sha256(f"{base_commit} {kind} {identity()}".encode())
    for patch in patches(kind):
        inputs = [patch.path / "message", *patch.diffs(kind),
                  *(say.REPO / name for name in patch.files)]
        for insert in patch.inserts:
            digest.update(repr(insert).encode())
        for path in inputs:
            content = path.read_bytes() if path.exists() else b"missing"
            digest.update(f"{path.relative_to(say.REPO)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def commit(repository, base_commit, kind):
    """Commit the series on top of BASE_COMMIT, touching no work tree; returns the commit."""
    who = identity() or NOBODY
    with tempfile.TemporaryDirectory() as scratch:
        git = Git(repository, index=Path(scratch) / "index")
        git.run("read-tree", base_commit)
        parent = base_commit
        for patch in patches(kind):
            parent = commit_one(git, parent, patch, kind, who)
    return parent


def commit_insert(git, patch, insert, who):
    """Put the lines of an insert into a file of git's index."""
    status, before, _ = git.try_run("show", f":{insert.path}")
    after = insert.into(before) if not status else None
    if after is None:
        raise say.Error(f"patch {patch.name} does not fit this kernel: {insert.path} has not one "
                        f"line {insert.anchor!r}",
                        f"see what the kernel has there and adapt {patch.path / 'insert'}")
    blob = git.run("hash-object", "-w", "--stdin", data=fill_in(after, who))
    git.run("update-index", "--cacheinfo", f"100644,{blob},{insert.path}")


def commit_one(git, parent, patch, kind, who):
    """Commit one patch on PARENT, whose tree git's index holds; returns the commit."""
    for name in patch.files:
        path = say.REPO / name
        if not path.is_file():
            raise say.Error(f"patch {patch.name} carries {name}, which does not exist",
                            f"write it, or take it out of {patch.path / 'files'}")
        blob = git.run("hash-object", "-w", "--stdin", data=fill_in(path.read_text(), who))
        mode = "100755" if path.stat().st_mode & 0o100 else "100644"
        git.run("update-index", "--add", "--cacheinfo", f"{mode},{blob},{name}")
    for insert in patch.inserts:
        commit_insert(git, patch, insert, who)
    for diff in patch.diffs(kind):
        status, _, errors = git.try_run("apply", "--cached", "-C2", "--whitespace=nowarn", "-",
                                        data=fill_in(diff.read_text(), who))
        if status:
            raise say.Error(f"patch {patch.name} does not fit this kernel: "
                            f"{diff.name}: {errors.strip()}",
                            f"see what the kernel has there and adapt {diff}")
    tree = git.run("write-tree")
    person = {"GIT_AUTHOR_NAME": who[0], "GIT_AUTHOR_EMAIL": who[1], "GIT_AUTHOR_DATE": DATE,
              "GIT_COMMITTER_NAME": who[0], "GIT_COMMITTER_EMAIL": who[1],
              "GIT_COMMITTER_DATE": DATE}
    message = fill_in(patch.message.rstrip(), who) + f"\n\nSigned-off-by: {who[0]} <{who[1]}>\n"
    return git.run("commit-tree", tree, "-p", parent, data=message, **person)
