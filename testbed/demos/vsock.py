# SPDX-License-Identifier: GPL-2.0-only
"""Streams between guest and host, each way."""

from testbed import backends

PROGRAMS = {"socat": ["/usr/bin/socat"]}


def backend(directory):
    """vsock by vhost-device-vsock."""
    return backends.vsock(directory)


def show(bed, made, line):
    """One word each way."""
    guest = bed.guest
    with made.listen(5000) as server:
        guest.begin("echo a word from the guest | socat -u - VSOCK-CONNECT:2:5000")
        stream, _ = server.accept()
        with stream:
            stream.settimeout(backends.SECONDS)
            line("guest to host, port 5000", stream.recv(100).decode().strip())
        guest.finish()
    guest.check("socat -u VSOCK-LISTEN:1234 CREATE:/tmp/word >/dev/null 2>&1 &")
    with made.connect_when_ready(1234) as stream:
        stream.sendall(b"a word from the host\n")
    word = guest.wait_for("test -s /tmp/word && cat /tmp/word").strip()
    line("host to guest, port 1234", word)
