# SPDX-License-Identifier: GPL-2.0-only
"""End-to-end tests in guests of QEMU."""
