# SPDX-License-Identifier: GPL-2.0-only
"""Tools for checking kernel code that the machine's Debian has too old or not at all."""

import os

from scripts import cache, debian, kernel, say

SUITE = "sid"
CHECK_PACKAGES = ["perl", "python3", "python3-git", "python3-ply", "codespell", "yamllint",
                  "python3-jsonschema", "python3-libfdt", "python3-rfc3987",
                  "python3-ruamel.yaml", "libyaml-dev"]


def sparse():
    """The path of a sparse new enough for every base, built from Debian's source."""
    debian.install(["gcc", "make", "libc6-dev"])
    source = debian.fetch_source("sparse", SUITE)
    program = source / "sparse"
    with cache.lock("tool-sparse"):
        if not program.exists():
            say.step("building sparse")
            # Its makefile names a compiler that only its own suite has.
            say.run(["make", "-C", source, f"-j{os.cpu_count()}", "CC=gcc", "sparse"],
                    "build-sparse", "building sparse")
    return program


def dtschema():
    """The environment in which dt_binding_check finds Debian's newest dt-schema."""
    deb = debian.fetch("dt-schema", SUITE)
    directory = cache.directory("tool") / deb.stem
    with cache.lock("tool-dtschema"):
        if not directory.is_dir():
            unfinished = directory.with_name(directory.name + ".new")
            debian.unpack(deb, unfinished)
            unfinished.rename(directory)
    environment = kernel.environment()
    return {**environment, "PATH": f"{directory}/usr/bin:{environment['PATH']}",
            "PYTHONPATH": f"{directory}/usr/lib/python3/dist-packages"}
