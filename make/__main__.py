# SPDX-License-Identifier: GPL-2.0-only
"""python3 -m make COMMAND …: what the Makefile's targets call."""

import importlib
import sys

from scripts import say

# command: (module, function); `make help` says what they do
COMMANDS = {
    "tree": ("scripts.commands", "tree_command"),
    "series": ("scripts.commands", "series_command"),
    "kernel": ("scripts.commands", "kernel_command"),
    "modules": ("scripts.modules", "modules_command"),
    "modules_install": ("scripts.modules", "install_command"),
    "deb": ("scripts.deb", "main"),
    "check": ("scripts.check", "main"),
    "kunit": ("scripts.kunit", "main"),
    "fuzz": ("testbed.fuzz", "main"),
    "test": ("make.test", "main"),
    "demo": ("make.demo", "main"),
    "xen": ("testbed.xen.demo", "main"),
    "test-xen": ("testbed.xen.test", "main"),
    "bench": ("bench.run", "main"),
    "bench-xen": ("bench.run", "xen"),
    "bench-qemu": ("bench.qemu", "main"),
    "bench-neighbours": ("bench.neighbours", "main"),
    "bench-waiting": ("bench.waiting", "main"),
    "bench-slots": ("bench.slots", "main"),
}


def main():
    """Run the command named on the command line with the arguments after it."""
    command, *args = sys.argv[1:] or [""]
    if command not in COMMANDS:
        say.error(say.Error(f"there is no command {command!r}",
                            f"commands: {', '.join(COMMANDS)}"))
        return 1
    module, function = COMMANDS[command]
    return say.main(getattr(importlib.import_module(module), function), args)


sys.exit(main())
