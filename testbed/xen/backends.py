# SPDX-License-Identifier: GPL-2.0-only
"""vhost-user backends in Rust, unmodified from crates.io, for arm64 and with their
`xen` feature."""

import os
import platform
import shutil
from pathlib import Path

from scripts import cache, debian, say
from testbed.xen import packages

TARGET = "aarch64-unknown-linux-gnu"
VERSION = "0.1.0"
# Older than this, which is what the crates' lock files name, it does not go on in a ring
# that was used before; `cargo install` without --locked takes a newer one, too
UPDATED = ("vhost-user-backend", "0.10.1")
CRATES = 90     # that the first of them needs, about


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


def build(crates):
    """Build CRATES; returns {crate: the program's path}. They share what they depend on."""
    root = sysroot()
    tag = f"{VERSION}-{UPDATED[1]}-abort-{root.parent.name}"
    paths = {crate: cache.directory("xen") / f"{crate}-{tag}" for crate in crates}
    with cache.lock("xen-cargo"):
        for crate, path in paths.items():
            if not path.is_file():
                compile_crate(crate, root, path)
        shutil.rmtree(cache.directory("xen") / "cargo/target", ignore_errors=True)
    return paths


def cargo_command(*words):
    """A command line of Debian's cargo, whatever else is installed."""
    return ["nice", "/usr/bin/cargo", *words]


def source(crate, work):
    """A copy of CRATE's source below WORK. In its lock file UPDATED is newer."""
    stub = work / "fetch"
    (stub / "src").mkdir(parents=True, exist_ok=True)
    (stub / "src" / "lib.rs").touch()
    (stub / "Cargo.toml").write_text('[package]\nname = "fetch"\nversion = "0.0.0"\n\n'
                                     f'[dependencies]\n{crate} = "={VERSION}"\n')
    say.run(cargo_command("fetch", "--manifest-path", stub / "Cargo.toml"), f"cargo-fetch-{crate}",
            f"fetching {crate}", what_to_do="check that cargo reaches crates.io")
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    fetched = sorted((home / "registry" / "src").glob(f"*/{crate}-{VERSION}"))[-1]
    copy = work / crate
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(fetched, copy)
    say.run(cargo_command("update", "--manifest-path", copy / "Cargo.toml", "--precise", UPDATED[1],
                  UPDATED[0]), f"cargo-update-{crate}", f"updating {UPDATED[0]}")
    return copy


def compile_crate(crate, root, result):
    """cargo install of the crate, unmodified; puts the program at RESULT."""
    say.step(f"building {crate} {VERSION} for {packages.ARCH} with cargo "
             "(two minutes for the first)")
    work = cache.directory("xen") / "cargo"
    flags = TARGET.upper().replace("-", "_")
    environment = {
        **os.environ,
        "RUSTC": "/usr/bin/rustc",
        # A thread that panics alone would leave a backend that does nothing and says nothing
        "CARGO_PROFILE_RELEASE_PANIC": "abort",
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

    say.run(cargo_command("install", "-j2", "--locked", "--features", "xen", "--target", TARGET,
                  "--root", work, "--force", "--path", source(crate, work)),
            f"xen-cargo-{crate}", f"building {crate}", on_line=count, env=environment,
            what_to_do="check that cargo reaches crates.io")
    shutil.copy(work / "bin" / crate, result)
