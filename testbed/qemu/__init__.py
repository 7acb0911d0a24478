# SPDX-License-Identifier: GPL-2.0-only
"""Guests of stock QEMU with a stock kernel of Debian, whose devices virtio-msgd serves."""
