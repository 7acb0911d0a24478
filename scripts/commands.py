# SPDX-License-Identifier: GPL-2.0-only
"""make tree, make series and make kernel."""

import argparse
import shutil

from scripts import kernel, say, series, tree
from scripts.git import identity

# In the bundle; a name as b4 has them
SERIES_BRANCH = "b4/virtio-msg"
OPTIONS = say.REPO / "scripts" / "configs" / "guest.config"


def parse(name, args, **more):
    """The command line of a command that works on one base."""
    parser = argparse.ArgumentParser(prog=f"make {name}")
    parser.add_argument("--base", default="mainline", help="mainline, lts or a kernel tree")
    for option, settings in more.items():
        parser.add_argument(f"--{option}", **settings)
    return parser.parse_args(args)


def tree_command(args):
    """Lay the series on a base and say where it is."""
    options = parse("tree", args)
    path = tree.lay(options.base)
    say.step(f"the series on {options.base}, as branch {tree.BRANCH} of a git repository:")
    print(path)
    return 0


def series_command(args):
    """Write the patches of the series, with a cover letter, to out/series/BASE."""
    parser = argparse.ArgumentParser(prog="make series")
    parser.add_argument("--base", help="mainline, lts or a kernel tree; both bases if not given")
    chosen = parser.parse_args(args).base
    who = identity()
    if not who:
        raise say.Error("git does not know who you are, and patches have an author",
                        "git config --global user.name …; git config --global user.email …")
    for name in [chosen] if chosen else tree.bases():
        write_patches(name)
    say.note(f"author and Signed-off-by are {who[0]} <{who[1]}>, from git's configuration")
    return 0


def write_patches(name):
    """git format-patch of the series on the base called NAME, and the same as a bundle with a
    branch that begins at the base, whose objects are not in it."""
    base, top = tree.commits(name)
    out = say.REPO / "out" / "series" / base.name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    who = identity()
    base.git.run("-c", f"user.name={who[0]}", "-c", f"user.email={who[1]}", "format-patch",
                 "--quiet", "--cover-letter", "-o", out, "-M", f"{base.commit}..{top}")
    subject, _, body = (series.SERIES / "cover").read_text().partition("\n\n")
    [cover] = out.glob("0000-*")
    letter = cover.read_text()
    cover.write_text(letter.replace("*** SUBJECT HERE ***", subject)
                     .replace("*** BLURB HERE ***", body.strip()))
    base.git.run("branch", "--force", SERIES_BRANCH, top)
    base.git.run("bundle", "create", "--quiet", out / "virtio-msg.bundle", SERIES_BRANCH,
                 f"^{base.commit}")
    count = len(list(out.glob("*.patch"))) - 1
    say.step(f"{count} patches, a cover letter and a git bundle (branch {SERIES_BRANCH}) for "
             f"{base.name} in {out}")


def kernel_command(args):
    """Build a kernel of a base with the series and virtio-msg's options on."""
    options = parse("kernel", args, arch={"default": kernel.machine_arch()},
                    config={"default": str(OPTIONS), "help": "a file of options"},
                    start={"default": "defconfig", "help": "what the options are added to"})
    directory = kernel.build(options.base, "user", options.arch, [options.config], options.start)
    say.step("built in")
    print(directory)
    return 0
