# SPDX-License-Identifier: GPL-2.0-only
"""Where downloads and builds are kept between runs.

$VIRTIO_MSG_CACHE, or ~/.cache/virtio-msg. Everything below it can be deleted at
any time that nothing runs; the next run makes it again.
"""

import fcntl
import hashlib
import os
from contextlib import contextmanager
from pathlib import Path

from scripts import say


def root():
    """The cache's directory."""
    chosen = os.environ.get("VIRTIO_MSG_CACHE")
    path = Path(chosen) if chosen else Path.home() / ".cache" / "virtio-msg"
    path.mkdir(parents=True, exist_ok=True)
    return path.resolve()


def directory(*names):
    """The cache's sub-directory NAMES[0]/NAMES[1]/…, which exists on return."""
    path = root().joinpath(*names)
    path.mkdir(parents=True, exist_ok=True)
    return path


def of_checkout(name):
    """NAME with this checkout's mark, for builds that read its files where they are."""
    return f"{name}-{hashlib.sha256(str(say.REPO).encode()).hexdigest()[:8]}"


@contextmanager
def lock(name, shared=False):
    """Hold the lock called NAME; says so when it has to wait for another process."""
    path = directory("lock") / name.replace("/", "-")
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    with open(path, "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            say.note(f"waiting for another process that uses {name} (lock {path})")
            fcntl.flock(file, kind)
        yield
