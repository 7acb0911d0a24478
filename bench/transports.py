# SPDX-License-Identifier: GPL-2.0-only
"""What is compared: three transports, each with a window for each of three devices."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Transport:
    """A way to a device.

    OPTIONS are those of virtio-msgd's windows, DRIVER the guest's platform driver,
    INTERRUPT the registers that its interrupt handler accesses.
    """

    name: str
    options: str
    driver: str
    interrupt: tuple

    @property
    def driver_directory(self):
        """The guest's directory of that driver."""
        return f"/sys/bus/platform/drivers/{self.driver}"


STOCK = Transport("virtio-mmio", "personality=mmio", "virtio-mmio",
                  ("InterruptStatus", "InterruptACK"))
WINDOW = Transport("virtio-msg-window", "page=off", "virtio-msg-mmio", ("Event",))
PAGE = Transport("virtio-msg-page", "page=on", "virtio-msg-mmio", ("Event",))

# All is compared with the first
TRANSPORTS = (STOCK, WINDOW, PAGE)
DEVICES = ("rng", "i2c", "blk")

# User Mode Linux's own vhost-user driver, which has no device side but the backend
DIRECT = "virtio_uml"
