# SPDX-License-Identifier: GPL-2.0-only
"""What a demo prints while it shows something, and the clock that most of them show."""

NEW_TIME = "2031-02-03 04:05:06"
RTC_ADDRESS = "0x68"


def title(text):
    """A line above a part of the output."""
    print(f"\n{text}")


def line(name, value):
    """One aligned line of a part."""
    print(f"  {name:<24} {value}", flush=True)


def block(text):
    """A program's output, as it is."""
    for each in text.rstrip("\n").splitlines():
        print(f"    {each}")
