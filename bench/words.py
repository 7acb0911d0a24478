# SPDX-License-Identifier: GPL-2.0-only
"""What a probe takes in window mode, worked out from its messages.

The Window register is accessed by words: of 8 bytes where the guest has 64 bits, of
4 where it has 32. So the number of traps follows from the messages' sizes. With 8
it has to be what was counted; with 4 it is the figure for a 32-bit guest.
"""

from bench.counts import registers

HEADER = 8
FEATURE_BLOCKS = 2

# message: size of the request, of the response (include/uapi/linux/virtio_msg.h)
SIZES = {
    "GET_DEVICE_INFO": (HEADER, HEADER + 44),
    "GET_DEVICE_FEATURES": (HEADER + 8, HEADER + 8 + 4 * FEATURE_BLOCKS),
    "SET_DRIVER_FEATURES": (HEADER + 8 + 4 * FEATURE_BLOCKS, HEADER),
    "GET_DEVICE_STATUS": (HEADER, HEADER + 4),
    "SET_DEVICE_STATUS": (HEADER + 4, HEADER + 4),
    "GET_VQUEUE": (HEADER + 4, HEADER + 40),
    "SET_VQUEUE": (HEADER + 40, HEADER),
    "RESET_VQUEUE": (HEADER + 4, HEADER),
}

# Registers of 64 bits are accessed in halves by a 32-bit guest
WIDE = ("Identity", "Page")


def words(size, width):
    """How many accesses of WIDTH bytes move SIZE bytes."""
    return -(-size // width)


def message(name, width):
    """Accesses that a message and its response take: the response's header comes first."""
    request, response = SIZES[name]
    return words(request, width) + words(HEADER, width) + words(response - HEADER, width)


def window_mode(counters, width):
    """Traps of the probe that COUNTERS are of, if the guest's words had WIDTH bytes."""
    others = {name: number for name, number in registers(counters).items() if name != "Window"}
    return _accesses(others, width) + sum(number * message(name, width)
                                          for name, number in counters["requests"].items())


def page_mode(counters, width):
    """The same in page mode, where a message is one access of a 32-bit register."""
    return _accesses(registers(counters), width)


def _accesses(found, width):
    """Without those of the interrupt that a first kick may bring."""
    return sum(number * (words(8, width) if name in WIDE else 1)
               for name, number in found.items() if name != "Event")
