# SPDX-License-Identifier: GPL-2.0-only
"""End-to-end tests: a UML guest with our drivers, virtio-msgd or a device side that misbehaves.

    python3 -m unittest discover -t . -s testbed/e2e

Each test boots its own guest. After each, the guest's console must not contain
anything the kernel says when it finds itself in error.
"""
