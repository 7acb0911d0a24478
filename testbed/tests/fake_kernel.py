#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Stands in for a UML kernel and its init: runs what it is told on this machine.

Parameters fake=… make it misbehave: mute (never ready), exit (ends before it is),
hang (does not end commands), splat (prints a warning).
"""

import os
import subprocess
import sys

parameters = dict(word.partition("=")[::2] for word in sys.argv[1:])
fake = parameters.get("fake")
line = os.fdopen(int(parameters["ssl0"].removeprefix("fd:")), "r+b", buffering=0)
print("Booting", " ".join(sorted(parameters)), flush=True)
if fake == "exit":
    print("Kernel panic - not syncing", flush=True)
    sys.exit(1)
if fake == "splat":
    print("[    1.0] WARNING: CPU: 0 at nowhere", flush=True)
if fake != "mute":
    line.write(b"ready\n")
for number in line:
    number = number.decode().strip()
    script = os.path.join(parameters["testbed.run"], f"{number}.sh")
    with open(os.path.join(parameters["testbed.run"], f"{number}.out"), "wb") as output:
        text = open(script, encoding="utf-8").read()
        if "poweroff" in text:
            sys.exit(0)
        if "reboot" in text:
            line.write(b"ready\n")
            continue
        if fake != "hang":
            status = subprocess.run(["sh", script], stdout=output, stderr=output,
                                    check=False).returncode
            line.write(f"{number} {status}\n".encode())
