# SPDX-License-Identifier: GPL-2.0-only
"""Ring features over the bus: negotiated, at work, and doing what they are for."""

import shutil

from bench.machine import I2C_ADDRESS
from testbed import load
from testbed.e2e.case import GuestTest

INDIRECT = 28
EVENT_IDX = 29
RING_PACKED = 34
IN_ORDER = 35
NOTIFICATION_DATA = 38

RINGS = ("packed=off", "packed=on")
MODES = ("page=on", "page=off")
QUEUE_SIZE = 64
DEPTH = 16
# While a burst of DEPTH requests is handed in, however slow the machine is
DELAY = 300000


class Rings(GuestTest):
    has_in_order = True

    def boot_all(self, device, combinations):
        """A guest with a window for each of COMBINATIONS of options."""
        bed = self.boot([f"device={device},{options}" for options in combinations])
        shutil.copy(load.build(), bed.guest.directory / "load")
        return bed

    def features(self, bed, window):
        """The bits that a window's device and driver agreed on."""
        text = bed.guest.check("cat /sys/bus/platform/devices/"
                               f"virtio-msg-mmio.{window}/virtio*/features")
        return {bit for bit, value in enumerate(text.strip()) if value == "1"}

    def load(self, bed, window, words):
        """The counters of a run of load."""
        bed.msgd.control("counters-reset")
        bed.guest.check(f"/host/load {words}", 120)
        return bed.msgd.counters(window)

    def check_data(self, bed, window):
        """What is written to a disk in many requests is read back."""
        disk = bed.node(window, "block/vd*")
        bed.guest.check(f"""set -e
            dd if=/dev/urandom of=/tmp/in bs=64k count=16 2>/dev/null
            cat /tmp/in > {disk}
            sync
            blockdev --flushbufs {disk}
            head -c 1048576 {disk} > /tmp/out
            cmp /tmp/in /tmp/out""")
        counters = self.load(bed, window, f"queue {disk} {DEPTH} {10 * QUEUE_SIZE}")
        self.assertEqual(counters["kicks"], 10 * QUEUE_SIZE // DEPTH)

    def test_event_idx_holds_notifications_back(self):
        combinations = [f"{ring},event-idx={switch},{mode},delay={DELAY}"
                        for ring in RINGS for switch in ("on", "off") for mode in MODES]
        bed = self.boot_all("blk", combinations)
        for window, options in enumerate(combinations):
            with self.subTest(options):
                on = "event-idx=on" in options
                self.assertEqual(EVENT_IDX in self.features(bed, window), on)
                disk = bed.node(window, "block/vd*")
                counters = self.load(bed, window, f"burst {disk} {DEPTH}")
                self.assertEqual(counters["kicks"], 1 if on else DEPTH)
                self.assertEqual(counters["traps"]["write"]["QueueNotify"], counters["kicks"])

    def test_event_idx_holds_interrupts_back(self):
        combinations = [f"{ring},event-idx={switch},{mode},coalesce=off"
                        for ring in RINGS for switch in ("on", "off") for mode in MODES]
        bed = self.boot_all("blk", combinations)
        for window, options in enumerate(combinations):
            with self.subTest(options):
                disk = bed.node(window, "block/vd*")
                counters = self.load(bed, window, f"queue {disk} {DEPTH} {DEPTH}")
                self.assertEqual(counters["kicks"], 1)
                self.assertEqual(counters["interrupts"], 1 if "event-idx=on" in options else DEPTH)

    def test_packed_rings(self):
        combinations = [f"packed=on,{mode},indirect={switch}"
                        for mode in MODES for switch in ("on", "off")]
        bed = self.boot_all("blk", combinations)
        for window, options in enumerate(combinations):
            with self.subTest(options):
                features = self.features(bed, window)
                self.assertIn(RING_PACKED, features)
                self.assertEqual(INDIRECT in features, "indirect=on" in options)
                self.check_data(bed, window)

    def test_in_order(self):
        combinations = [f"in-order=on,{ring},{mode}" for ring in RINGS for mode in MODES]
        bed = self.boot_all("blk", combinations)
        for window, options in enumerate(combinations):
            with self.subTest(options):
                features = self.features(bed, window)
                self.assertEqual(IN_ORDER in features, self.has_in_order)
                self.assertEqual(RING_PACKED in features, "packed=on" in options)
                self.check_data(bed, window)

    def test_notification_data(self):
        combinations = [f"notification-data={switch},{ring},{mode}"
                        for switch in ("on", "off") for ring in RINGS for mode in MODES]
        bed = self.boot_all("i2c", combinations)
        # load makes 64 transfers before it begins
        total = 0
        for number in (3, 30, 100):
            total += 64 + number
            for window, options in enumerate(combinations):
                with self.subTest(options, total=total):
                    on = "notification-data=on" in options
                    self.assertEqual(NOTIFICATION_DATA in self.features(bed, window), on)
                    adapter = bed.node(window, "i2c-*")
                    counters = self.load(bed, window, f"i2c {adapter} {I2C_ADDRESS} {number}")
                    self.assertEqual(counters["kicks"], 64 + number)
                    expected = next_offset(total, "packed=on" in options) << 16 if on else 0
                    self.assertEqual(hex(counters["last_kick"]), hex(expected))


def next_offset(requests, packed):
    """The upper half of the notification after so many REQUESTS of one ring entry each."""
    if not packed:
        return requests % 65536
    wrap = 1 - requests // QUEUE_SIZE % 2
    return requests % QUEUE_SIZE | wrap << 15


class RingsLts(Rings):
    base = "lts"
    has_in_order = False
