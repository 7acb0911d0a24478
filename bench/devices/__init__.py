# SPDX-License-Identifier: GPL-2.0-only
"""The devices that are measured with backends that others wrote."""

from bench.devices.blk import Disk
from bench.devices.fs import Directory
from bench.devices.net import Network
from bench.devices.vsock import Streams

DEVICES = {device.name: device for device in (Disk, Directory, Network, Streams)}
