# SPDX-License-Identifier: GPL-2.0-only
"""virtio-msgd, built with sanitizers, with guests and backends in Python."""
