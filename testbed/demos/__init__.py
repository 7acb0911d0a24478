# SPDX-License-Identifier: GPL-2.0-only
"""make demo DEVICE=…: a module for each device that is behind a vhost-user backend.

Each has PROGRAMS (what the guest needs besides the usual, by Debian package),
backend(directory), which returns what the device is behind, and show(guest, backend,
say_line), which lets the guest work with it.
"""
