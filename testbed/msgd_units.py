# SPDX-License-Identifier: GPL-2.0-only
"""virtio-msgd's own unit tests, as a part of the tests that are counted."""

import json
import re

from scripts import say
from testbed import msgd


TAP = re.compile(r"^ok \d+ - (\w+)", re.MULTILINE)


def run(results):
    """virtio-msgd's own unit tests, by meson, with the address sanitizer."""
    with msgd.build_directory(sanitize=True) as directory:
        log = directory / "meson-logs" / "testlog.json"
        log.unlink(missing_ok=True)
        status = say.run(["meson", "test", "-C", directory, "--print-errorlogs"], "meson-test",
                         check=False)
        if not log.exists():
            raise say.Error(f"virtio-msgd's tests did not build or run:\n"
                            f"{say.last_lines(say.log_file('meson-test'))}",
                            f"log: {say.log_file('meson-test')}")
        found = [json.loads(line) for line in log.read_text().splitlines()]
    count(results, found)
    if status and not any(each["result"] != "OK" for each in found):
        results.fail("meson test", f"exit status {status}, see {say.log_file('meson-test')}")


def count(results, found):
    """Add meson's records of tests to RESULTS."""
    for each in found:
        if each["result"] == "OK":
            results.ok(f"virtio-msgd: {each['name']}")
            results.names |= {f"virtio-msgd.{each['name']}.{name}"
                              for name in TAP.findall(each.get("stdout", ""))}
        elif each["result"] == "SKIP":
            results.skip(f"virtio-msgd: {each['name']}", "by the test itself")
        else:
            results.fail(f"virtio-msgd: {each['name']}", each.get("stdout", "")[-3000:]
                         + each.get("stderr", "")[-3000:])
