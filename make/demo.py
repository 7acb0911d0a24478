# SPDX-License-Identifier: GPL-2.0-only
"""make demo, in one of several kinds of guests."""

import importlib

from scripts import say

# VMM=: the module that has its command
VMMS = {"uml": "testbed.demo", "qemu": "testbed.qemu.demo"}
PREFIX = "--vmm="
BUILDS = ("--base", "--shell")


def main(args):
    """The command: of the kind of guest that --vmm= names, User Mode Linux otherwise."""
    chosen = [word.removeprefix(PREFIX) for word in args if word.startswith(PREFIX)]
    vmm = chosen[-1] if chosen else "uml"
    if vmm not in VMMS:
        raise say.Error(f"there is no VMM={vmm}", f"VMM= is one of {', '.join(VMMS)}; without it "
                        "the guest is a User Mode Linux kernel")
    rest = [word for word in args if not word.startswith(PREFIX)]
    wrong = [word for word in rest if word.partition("=")[0] in BUILDS]
    if vmm != "uml" and wrong:
        raise say.Error(f"VMM={vmm} has a kernel that is not built here, so no {wrong[0]}",
                        "leave VMM= out, or BASE=, KERNEL= and --shell")
    return importlib.import_module(VMMS[vmm]).main(rest)
