# SPDX-License-Identifier: GPL-2.0-only
"""A Xen machine inside QEMU: hypervisor, Dom0 with virtio-msgd, and guests made by xl."""
