# SPDX-License-Identifier: GPL-2.0-only
"""python3 -m scripts COMMAND …: what the Makefile's targets call."""

import importlib
import sys

from scripts import say

# command: (module, function, what `make help` says)
COMMANDS = {
    "tree": ("scripts.commands", "tree_command", "lay the series on a base kernel, print where"),
    "series": ("scripts.commands", "series_command", "write the patches to out/series/"),
    "kernel": ("scripts.commands", "kernel_command", "build a kernel with the options on"),
    "check": ("scripts.check", "main", "check all kernel code and each patch, on both bases"),
    "kunit": ("scripts.kunit", "main", "run the KUnit tests"),
    "test": ("scripts.test", "main", "run every test there is"),
    "demo": ("testbed.demo", "main", "boot a guest that reads a clock over virtio-msg"),
    "xen": ("testbed.xen.demo", "main", "the same with Xen: a guest, Dom0, in QEMU"),
    "test-xen": ("testbed.xen.test", "main", "run the tests on a machine with Xen"),
    "xen": ("testbed.xen.demo", "main", "the same under Xen, in QEMU"),
    "test-xen": ("testbed.xen.test", "main", "run the tests that need a machine with Xen"),
    "bench": ("bench.run", "main", "measure the transports side by side"),
}


def main():
    """Run the command named on the command line with the arguments after it."""
    command, *args = sys.argv[1:] or [""]
    if command not in COMMANDS:
        say.error(say.Error(f"there is no command {command!r}",
                            f"commands: {', '.join(COMMANDS)}"))
        return 1
    module, function, _ = COMMANDS[command]
    return say.main(getattr(importlib.import_module(module), function), args)


sys.exit(main())
