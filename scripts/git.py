# SPDX-License-Identifier: GPL-2.0-only
"""git, as the tree tool uses it."""

import os
import subprocess
from pathlib import Path

from scripts import say

# No part of a run may depend on the user's git configuration or wait for a prompt.
ENVIRONMENT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
               "GIT_TERMINAL_PROMPT": "0"}
SETTINGS = {"gc.auto": "0", "core.fsync": "none", "advice.detachedHead": "false"}


class Git:
    """A repository with one work tree."""

    def __init__(self, path, index=None):
        self.path = Path(path)
        self.environment = {**os.environ, **ENVIRONMENT}
        for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
            self.environment.pop(name, None)
        if index:
            self.environment["GIT_INDEX_FILE"] = str(index)

    def command(self, *words):
        """The command line for `git WORDS` in this repository."""
        settings = [word for key, value in SETTINGS.items() for word in ("-c", f"{key}={value}")]
        return ["git", "-C", str(self.path), *settings, *(str(word) for word in words)]

    def try_run(self, *words, data=None, **environment):
        """Run `git WORDS` with DATA as input; returns (exit status, output, errors)."""
        done = subprocess.run(self.command(*words), input=data, capture_output=True, text=True,
                              env={**self.environment, **environment}, check=False)
        return done.returncode, done.stdout, done.stderr

    def run(self, *words, data=None, **environment):
        """Run `git WORDS`; returns what it printed, or raises Error."""
        status, output, errors = self.try_run(*words, data=data, **environment)
        if status:
            raise say.Error(f"git {' '.join(str(word) for word in words[:3])} in {self.path} "
                            f"failed: {errors.strip() or output.strip()}")
        return output.strip()


def identity():
    """(name, email) of whoever works in this repository, as git knows them, or None."""
    values = []
    for key in ("user.name", "user.email"):
        asked = subprocess.run(["git", "-C", say.REPO, "config", key], capture_output=True,
                               text=True, check=False)
        values.append(asked.stdout.strip())
    return tuple(values) if all(values) else None
