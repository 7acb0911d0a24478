# SPDX-License-Identifier: GPL-2.0-only
"""make fuzz: virtio-msgd's fuzzers, each for some time, and what they found.

The harnesses are in virtio-msgd/fuzz/, what is to be tried first in corpus/ there: inputs
that reach different code, with a hash for a name, and those that once found a fault, named
after it. What a longer run finds on its way is kept in the cache, for the next one.
"""

import argparse
import os
import re
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts import cache, debian, say
from scripts.results import Results
from testbed import msgd

CORPUS = say.REPO / "virtio-msgd" / "fuzz" / "corpus"
HARNESSES = ("channel", "config", "control", "message", "ring", "uml", "vfio_user", "vhost_user",
             "xen")
PACKAGES = ["clang", "libclang-rt-dev", "libseccomp-dev", "libxen-dev"]
SECONDS = 60
# In make test: so many runs from the same start, so that a finding is one everywhere, as far
# as they fit into the time
TEST_RUNS, TEST_SECONDS = 10000, 20
# An input that takes so long hangs; twice what the harnesses use is not memory well used
LIMITS = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=4096"]
# A harness's own words, of the log for example, are not to be seen
QUIET = "-close_fd_mask=2"
BY_HASH = re.compile(r"[0-9a-f]{40}$")
STATUS = re.compile(r"^#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+) corp: (\d+)")
FRAME = re.compile(r"^\s+#\d+ 0x\w+ in (\w+) \S*?(virtio-msgd/\S+\.[ch]:\d+)")
WHAT = re.compile(r"^SUMMARY: |runtime error: |: not so: |^==\d+== ?ERROR: ")


class Outcome:
    """What a run of a harness said."""

    def __init__(self, log, status):
        self.log = Path(log)
        self.runs = self.edges = self.features = self.inputs = 0
        self.reproducer = None
        for line in self.log.read_text(errors="replace").splitlines():
            self.take(line)
        self.found = bool(status or self.reproducer)
        self.status = status

    def take(self, line):
        """One line of the log."""
        if match := STATUS.match(line):
            numbers = (int(number) for number in match.groups())
            self.runs, self.edges, self.features, self.inputs = numbers
        elif match := re.search(r"Test unit written to (\S+)", line):
            self.reproducer = Path(match[1])

    def text(self):
        """For people."""
        return (f"{self.runs} runs, coverage {self.edges} edges ({self.features} features), "
                f"corpus {self.inputs} inputs")


def build():
    """Build the harnesses that are not up to date; returns the directory they are in."""
    debian.install([*msgd.PACKAGES, *PACKAGES])
    name = cache.of_checkout("virtio-msgd-fuzz")
    directory = cache.directory("build", name)
    with cache.lock(f"build-{name}"):
        if not (directory / "build.ninja").exists():
            say.step("building the fuzzers")
            shutil.rmtree(directory, ignore_errors=True)
            say.run(["meson", "setup", directory, say.REPO / "virtio-msgd", "-Dfuzz=true",
                     "-Dxen=enabled"], "fuzz-setup", "configuring the fuzzers",
                    env={**os.environ, "CC": "clang"})
        say.run(["ninja", "-C", directory], "fuzz-build", "building the fuzzers")
    return directory / "fuzz"


def explain(program, outcome):
    """What a finding is: its report, with the frames that are ours."""
    log = outcome.log
    if outcome.reproducer:
        name = f"{outcome.log.stem}-finding"
        say.run([program, *LIMITS, outcome.reproducer], name, check=False)
        log = say.log_file(name)
    lines = log.read_text(errors="replace").splitlines()
    frames = [f"  {match[1]} {match[2]}" for line in lines if (match := FRAME.match(line))]
    why = [line for line in lines if WHAT.search(line)] or [f"exit status {outcome.status}"]
    again = f"again: {program} {outcome.reproducer}" if outcome.reproducer else "no reproducer"
    return "\n".join([*dict.fromkeys(why), *frames[:12], again, f"log: {log}"])


def run(results, name, programs, directory, options):
    """Run harness NAME with OPTIONS; new inputs go to DIRECTORY."""
    program = programs / f"fuzz_{name}"
    findings = say.REPO / "out" / "fuzz"
    findings.mkdir(parents=True, exist_ok=True)
    corpus = [CORPUS / name] if (CORPUS / name).is_dir() else []
    status = say.run([program, *LIMITS, QUIET, f"-artifact_prefix={findings}/{name}-", *options,
                      directory, *corpus], f"fuzz-{name}", check=False)
    outcome = Outcome(say.log_file(f"fuzz-{name}"), status)
    if outcome.found:
        results.fail(f"fuzz {name}: {outcome.text()}", explain(program, outcome))
    else:
        results.ok(f"fuzz {name}: {outcome.text()}")


def run_all(results, names, directory, options):
    """Run all harnesses NAMES, as many at a time as there are CPUs."""
    programs = build()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        each = []
        for name in names:
            (directory / name).mkdir(parents=True, exist_ok=True)
            each.append(pool.submit(run, results, name, programs, directory / name, options))
        for done in each:
            done.result()


def test(results):
    """A stage of make test: what is in the corpus, and some seconds of more, from the same
    start each time."""
    with tempfile.TemporaryDirectory() as directory:
        run_all(results, HARNESSES, Path(directory),
                [f"-runs={TEST_RUNS}", f"-max_total_time={TEST_SECONDS}", "-seed=1"])


def save(names, directory):
    """Make the smallest corpus that reaches what was reached; what has a name stays."""
    programs = build()
    for name in names:
        corpus = CORPUS / name
        corpus.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as smallest:
            say.run([programs / f"fuzz_{name}", *LIMITS, QUIET, "-merge=1", "-use_counters=0",
                     smallest, corpus, directory / name], f"fuzz-merge-{name}",
                    f"merging the corpus of {name}")
            for path in corpus.iterdir():
                if BY_HASH.match(path.name):
                    path.unlink()
            known = {path.read_bytes() for path in corpus.iterdir()}
            for path in Path(smallest).iterdir():
                if path.read_bytes() not in known:
                    shutil.copy(path, corpus / path.name)
        files = list(corpus.iterdir())
        say.note(f"{name}: {len(files)} inputs, {sum(f.stat().st_size for f in files)} bytes")


def main(args):
    """The command."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--seconds", type=int, default=SECONDS,
                        help=f"for each harness ({SECONDS})")
    parser.add_argument("--save", action="store_true",
                        help="put what was found on the way into the corpus in the repository")
    parser.add_argument("harness", nargs="*", help=f"only some of {', '.join(HARNESSES)}")
    options = parser.parse_args(args)
    if unknown := set(options.harness) - set(HARNESSES):
        parser.error(f"there is no harness {', '.join(unknown)}")
    names = options.harness or HARNESSES
    results = Results()
    kept = cache.directory("fuzz")
    say.step(f"fuzzing virtio-msgd: {', '.join(names)}, {options.seconds} s each, "
             f"{os.cpu_count()} at a time")
    run_all(results, names, kept, [f"-max_total_time={options.seconds}"])
    if options.save:
        save(names, kept)
    return results.finish()
