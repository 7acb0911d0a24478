# SPDX-License-Identifier: GPL-2.0-only
"""Tools for checking kernel code that the machine's Debian has too old or not at all."""

import os

from scripts import cache, debian, kernel, say

SUITE = "sid"
DTSCHEMA = "2026.9"
CHECK_PACKAGES = ["perl", "python3", "python3-git", "python3-ply", "yamllint"]


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
    """The environment in which dt_binding_check finds dtschema.

    Debian 12's is too old for mainline and newer ones need newer libraries, so it comes
    from PyPI, at a tested version, into a virtual environment in the cache.
    """
    debian.install(["python3-venv", "python3-dev", "gcc"])
    directory = cache.directory("tool") / f"dtschema-{DTSCHEMA}"
    with cache.lock("tool-dtschema"):
        if not (directory / "complete").exists():
            say.step(f"installing dtschema {DTSCHEMA} into {directory}")
            say.run(["/usr/bin/python3", "-m", "venv", "--clear", directory], "venv-dtschema",
                    "making a virtual environment")
            say.run([directory / "bin/pip", "install", f"dtschema=={DTSCHEMA}"], "pip-dtschema",
                    "pip install dtschema", what_to_do="check the network and pip's settings")
            (directory / "complete").touch()
    environment = kernel.environment()
    return {**environment, "PATH": f"{directory}/bin:{environment['PATH']}"}
