# SPDX-License-Identifier: GPL-2.0-only
"""Waiting for something, within bounds."""

import time


def until(condition, seconds, pause=0.05):
    """What CONDITION() returns as soon as that is true, asked every PAUSE seconds; what it
    returned last if it has not been within SECONDS."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > end:
            break
        time.sleep(pause)
    return result
