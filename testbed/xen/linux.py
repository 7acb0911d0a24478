# SPDX-License-Identifier: GPL-2.0-only
"""Linux with the series, one build for Dom0 and guests."""

from pathlib import Path

from scripts import kernel

CONFIG = Path(__file__).resolve().parent / "kernel.config"
OBJECTS = 1400


def build(base="mainline"):
    """Build it; returns the path of its Image."""
    build_directory = kernel.build(base, "xen", arch="arm64", fragments=[CONFIG],
                                   targets=("Image",), objects=OBJECTS)
    return build_directory / "arch/arm64/boot/Image"
