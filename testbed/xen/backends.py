# SPDX-License-Identifier: GPL-2.0-only
"""vhost-user backends in Rust, unmodified from crates.io, for arm64 and with their
`xen` feature."""

import os
import platform
import shutil

from scripts import cache, debian, say
from testbed.xen import packages

TARGET = "aarch64-unknown-linux-gnu"
VERSION = "0.1.0"
CRATES = 90     # that one of them needs, about


def toolchain():
    """(compiler's package, cargo's, standard library's, its suite) for this Debian."""
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME")
    if codename == "bookworm":
        return "rustc-web", "cargo-web", "libstd-rust-web-dev", "bookworm-security"
    return "rustc", "cargo", "libstd-rust-dev", codename


def sysroot():
    """A Rust sysroot with the arm64 library that belongs to this machine's compiler."""
    rustc, cargo, library, suite = toolchain()
    debian.install([rustc, cargo, library])
    version = say.output(["dpkg-query", "-W", "-f", "${Version}", library])
    root = packages.unpacked("rust", [f"{library}={version}"], suite)
    host = root / "usr/lib/rustlib" / f"{platform.machine()}-unknown-linux-gnu"
    if not host.exists():
        host.symlink_to(f"/usr/lib/rustlib/{host.name}")
    return root / "usr"


def build(crate):
    """Build CRATE; returns the program's path."""
    root = sysroot()
    path = cache.directory("xen") / f"{crate}-{VERSION}-{root.parent.name}"
    with cache.lock(f"xen-{crate}"):
        if not path.is_file():
            compile_crate(crate, root, path)
    return path


def compile_crate(crate, root, result):
    """cargo install, with the crate's own lock file; puts the program at RESULT."""
    say.step(f"building {crate} {VERSION} for {packages.ARCH} with cargo (about two minutes)")
    work = cache.directory("xen") / "cargo"
    flags = TARGET.upper().replace("-", "_")
    environment = {
        **os.environ,
        "RUSTC": "/usr/bin/rustc",
        "CARGO_TARGET_DIR": str(work / "target"),
        f"CARGO_TARGET_{flags}_LINKER": "aarch64-linux-gnu-gcc",
        f"CARGO_TARGET_{flags}_RUSTFLAGS": f"--sysroot={root}",
    }
    progress = say.Progress(crate, CRATES)
    done = 0

    def count(line):
        nonlocal done
        done += line.lstrip().startswith("Compiling ")
        progress.at(done, "crates")

    say.run(["nice", "/usr/bin/cargo", "install", "-j2", "--locked", "--version", VERSION,
             "--features", "xen", "--target", TARGET, "--root", work, "--force", crate],
            f"cargo-{crate}", f"building {crate}", on_line=count, env=environment,
            what_to_do="check that cargo reaches crates.io")
    shutil.copy(work / "bin" / crate, result)
    shutil.rmtree(work / "target")
