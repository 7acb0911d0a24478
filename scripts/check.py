# SPDX-License-Identifier: GPL-2.0-only
"""make check: what reviewers' tools say about the series, on both bases.

For each base every patch is checked out in turn into a tree of its own, built with
W=1 and put through checkpatch. With the whole series in place sparse, kernel-doc and
the device tree schema look at everything we add. Tools that would pass anything are
found out: sparse has to report a planted mistake first.
"""

import re
import subprocess
from pathlib import Path

from scripts import cache, debian, floors, kernel, rules, say, series, tools, tree
from scripts.git import Git
from scripts.results import Results

CONFIGS = say.REPO / "scripts" / "configs"
# Lines that a patch adds at the most, unless its message says why
MOST_LINES = 700
# MAINTAINERS gets its entry, with patterns for all files, in the first patch.
CHECKPATCH = ["scripts/checkpatch.pl", "--strict", "--terse", "--no-summary", "--show-types",
              "--ignore", "FILE_PATH_CHANGES"]
# TRACE_EVENT() has a layout of its own in the whole kernel.
TRACE_STYLE = re.compile(r"include/trace/events/.*(PARENTHESIS_ALIGNMENT|OPEN_ENDED_LINE)")
# Debian's linux-source has a .gitignore for Debian's packaging, which ignores all files.
PACKAGING = "warning: ignored by one of the .gitignore files"
PROBE = """// SPDX-License-Identifier: GPL-2.0-only
#include <linux/types.h>
u32 virtio_msg_sparse_probe(__le32 value);
u32 virtio_msg_sparse_probe(__le32 value) { return value; }
"""
# UML's user-side files include the host's headers, which sparse is not for.
NOT_FOR_SPARSE = re.compile(r"arch/um/.*_user\.[ch]$")
# Findings that are not ours, by kind of base. On one CPU, 6.12's spin_trylock() is for sparse
# two locks, one of __cond_lock() and one of __LOCK() in <linux/spinlock_api_up.h>.
SPARSE_LISTED = {"lts": re.compile(r"context imbalance in 'virtio_msg_callback'")}


class Steps:
    """A work tree and build directories in which a base's patches are built one by one."""

    def __init__(self, base):
        self.base, top = tree.commits(base)
        self.name = self.base.name
        self.source = self.base.path.with_name(f"{self.base.path.name}-steps")
        if not self.source.is_dir():
            say.note(f"making a second work tree for {self.name}")
            self.base.git.run("worktree", "prune")
            self.base.git.run("worktree", "add", "--quiet", "--detach", self.source, "base")
        self.git = Git(self.source)
        commits = self.git.run("rev-list", "--reverse", f"{self.base.commit}..{top}")
        self.patches = list(zip(commits.split(), series.patches(self.base.kind), strict=True))

    def checkout(self, commit):
        """Make the work tree COMMIT; only files that differ are touched."""
        self.git.run("checkout", "--quiet", "--force", "--detach", commit)
        self.git.run("clean", "--quiet", "--force", "-d", "-x")

    def changed(self, commit):
        """The files COMMIT changes."""
        return self.git.run("diff", "--name-only", f"{commit}^", commit).splitlines()

    def options(self, config):
        """Those options of CONFIG that this state of the tree knows."""
        known = set()
        for path in ("drivers/virtio/Kconfig", "arch/um/drivers/Kconfig"):
            found = re.findall(r"^config (\w+)", (self.source / path).read_text(), re.MULTILINE)
            known.update(found)
        ours = re.compile(r"CONFIG_((VIRTIO_MSG|UML_MMIO_SOCKET)\w*)=")
        return "".join(f"{line}\n" for line in (CONFIGS / config).read_text().splitlines()
                       if not (match := ours.match(line)) or match[1] in known)

    def build(self, arch, targets, variables=("W=1",)):
        """Build TARGETS of this state; returns the log's text."""
        log = f"check-{self.base.path.name}-{arch}"
        directory = cache.directory("build", self.source.name, arch)
        config = "check-um.config" if arch == "um" else "check-machine.config"
        kernel.configure(self.source, directory, arch, self.options(config))
        path = kernel.compile_kernel(self.source, directory, arch, targets, variables, log,
                                     f"building for {arch}")
        return path.read_text(errors="replace")


def complaints(text, files):
    """The lines of a compiler's or checker's output that are about FILES."""
    return [line for line in text.splitlines()
            if re.search(r"\b(warning|error|note):", line, re.IGNORECASE)
            and any(name in line for name in files) and not line.endswith(PACKAGING)]


def unlisted(found, kind):
    """The lines of what sparse FOUND that are not listed for this KIND of base."""
    listed = SPARSE_LISTED.get(kind)
    return [line for line in found if not (listed and listed.search(line))]


def build_patches(results, steps):
    """Every patch builds by itself, without a warning about what it touches."""
    last, _ = steps.patches[-1]
    # From here on every file of ours is new to make, so it is compiled and heard.
    steps.checkout(steps.base.commit)
    for commit, patch in steps.patches:
        steps.checkout(commit)
        files = steps.changed(commit)
        archs = {"um": ["drivers/virtio/", "arch/um/drivers/"]}
        if commit == last or any(name.startswith("drivers/xen/") for name in files):
            archs[kernel.machine_arch()] = ["drivers/virtio/", "drivers/xen/"]
        title = f"{steps.name}: {patch.name} builds (W=1)"
        try:
            text = "".join(steps.build(arch, targets) for arch, targets in archs.items())
            results.check(title, complaints(text, files))
        except say.Error as problem:
            results.fail(title, problem)


def sizes(results, steps):
    """Every patch is one that can be read at a time, or says why it is not."""
    for commit, patch in steps.patches:
        added = sum(int(line.split()[0]) for line in steps.git.run(
            "diff", "--numstat", f"{commit}^", commit).splitlines())
        says = re.search(r"\b(one file|is long|and long)\b", patch.message, re.IGNORECASE)
        results.check(f"{steps.name}: {patch.name} has a size to review",
                      [] if added <= MOST_LINES or says else
                      [f"{added} added lines, and {patch.path / 'message'} does not say why they "
                       "are one patch"])


def checkpatch(results, steps):
    """checkpatch on every patch and on every file we add."""
    for commit, patch in steps.patches:
        mail = steps.git.run("format-patch", "-1", "--stdout", commit)
        problems = run_checkpatch(steps, ["--showfile", "-"], mail)
        results.check(f"{steps.name}: {patch.name} passes checkpatch --strict", problems)
    files = series.own_files(steps.base.kind)
    problems = run_checkpatch(steps, ["--file", *files])
    for name in files:
        results.check(f"{steps.name}: {name} passes checkpatch --strict",
                      [line for line in problems if name in line])
    results.check(f"{steps.name}: checkpatch --strict of all files",
                  [line for line in problems if not any(name in line for name in files)])


def run_checkpatch(steps, arguments, data=None):
    """The lines checkpatch has to say, one for each problem."""
    done = subprocess.run([*CHECKPATCH, *arguments], input=data, capture_output=True, text=True,
                          cwd=steps.source, env=kernel.environment(), check=False)
    found = [line for line in (done.stdout + done.stderr).splitlines() if line]
    if done.returncode and not found:
        found = [f"checkpatch: exit status {done.returncode}"]
    return [line for line in found if not TRACE_STYLE.search(line)]


def objects(steps, prefixes):
    """The object files made of the C files we add or change below PREFIXES."""
    changed = steps.git.run("diff", "--name-only", steps.base.commit, "HEAD").splitlines()
    return [str(Path(name).with_suffix(".o")) for name in changed
            if name.endswith(".c") and name.startswith(prefixes)
            and not NOT_FOR_SPARSE.search(name)]


def sparse(results, steps):
    """sparse with endian checks on all C files of the series, after a proof that it works."""
    probe = steps.source / "drivers/virtio/virtio_msg_sparse_probe.c"
    probe.write_text(PROBE)
    makefile = steps.source / "drivers/virtio/Makefile"
    makefile.write_text(makefile.read_text() + "obj-y += virtio_msg_sparse_probe.o\n")
    variables = ("W=1", "C=2", f"CHECK={tools.sparse()}", "CF=-D__CHECK_ENDIAN__")
    for arch, prefixes in (("um", ("drivers/virtio/", "arch/um/")),
                           (kernel.machine_arch(), ("drivers/xen/",))):
        wanted = objects(steps, prefixes)
        if not any(name.startswith("drivers/virtio/") for name in wanted):
            wanted.append("drivers/virtio/virtio_mmio.o")
        text = steps.build(arch, [*wanted, "drivers/virtio/virtio_msg_sparse_probe.o"],
                           variables)
        planted = [line for line in complaints(text, [probe.name]) if "incorrect type" in line]
        if not planted:
            raise say.Error(f"sparse did not report the planted mistake ({steps.name}, {arch}), "
                            f"so its silence means nothing", f"see {say.LOGS}")
        results.ok(f"{steps.name}: sparse reports a planted mistake ({arch})")
        for name in wanted:
            source = str(Path(name).with_suffix(".c"))
            if not re.search(rf"^  CHECK +(\S*/)?{re.escape(source)}$", text, re.MULTILINE):
                results.fail(f"{steps.name}: sparse on {source}", "it was not checked")
            else:
                results.check(f"{steps.name}: sparse on {source}",
                              unlisted(complaints(text, [source]), steps.base.kind))
        headers = [each for each in series.own_files(steps.base.kind) if each.endswith(".h")]
        results.check(f"{steps.name}: sparse on our headers ({arch})", complaints(text, headers))


def kernel_doc(results, steps):
    """kernel-doc comments of our sources are complete."""
    for name in series.own_files(steps.base.kind):
        if not name.endswith((".c", ".h")):
            continue
        done = subprocess.run(["scripts/kernel-doc", "-none", "-Wall", name], text=True,
                              capture_output=True, cwd=steps.source, env=kernel.environment(),
                              check=False)
        problems = (done.stdout + done.stderr).splitlines()
        if done.returncode and not problems:
            problems = [f"kernel-doc: exit status {done.returncode}"]
        results.check(f"{steps.name}: kernel-doc of {name}", problems)


def bindings(results, steps):
    """dt_binding_check of the device tree bindings we add."""
    for name in series.own_files(steps.base.kind):
        if not name.startswith("Documentation/devicetree/bindings/"):
            continue
        short = name.removeprefix("Documentation/devicetree/bindings/")
        log = f"dt-binding-{steps.base.path.name}"
        directory = cache.directory("build", steps.source.name, "um")
        command = kernel.make(steps.source, directory, "um", ["dt_binding_check"],
                              [f"DT_SCHEMA_FILES={short}"])
        say.run(command, log, "make dt_binding_check", env=tools.dtschema())
        text = say.log_file(log).read_text(errors="replace")
        example = directory / Path(name).with_suffix(".example.dtb")
        problems = [line for line in text.splitlines() if short in line
                    and not re.match(r" +(DTEX|DTC|CHKDT|LINT|STYLE|SCHEMA|DTC \[C\]) ", line)
                    and not line.startswith(("$", "make"))]
        if not example.exists():
            problems.append(f"its example was not compiled: no {example}")
        results.check(f"{steps.name}: dt_binding_check of {short}", problems)


CHECKS = {
    "each patch builds": build_patches,
    "sizes": sizes,
    "checkpatch": checkpatch,
    "sparse": sparse,
    "kernel-doc": kernel_doc,
    "device tree bindings": bindings,
}


def check_base(results, base):
    """All checks on one base; each runs whatever came of the others."""
    kernel.install_tools("um")
    debian.install(tools.CHECK_PACKAGES)
    with cache.lock(f"check-{base}"):
        steps = Steps(base)
        for title, check in CHECKS.items():
            steps.checkout(steps.patches[-1][0])
            results.stage(f"{title}, {base}", check, steps)


def run(results, bases=()):
    """The checks on BASES, or on both, and of the floors of all that is ours."""
    results.stage("make check, floors", floors.check)
    results.stage("make check, rules", rules.check)
    for base in bases or tree.bases():
        results.stage(f"make check, {base}", check_base, base)


def main(args):
    """The command: both bases, or the one named."""
    results = Results()
    run(results, args)
    return results.finish()
