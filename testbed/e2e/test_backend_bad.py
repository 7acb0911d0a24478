# SPDX-License-Identifier: GPL-2.0-only
"""Backends that are absent, hang, talk nonsense, refuse or die: the guest is told within
bounded time, other devices go on, and the device works when the backend is back."""


from scripts import wait
from testbed import fake_backend as fake
from testbed.e2e.backend_case import READ_RNG, BackendTest

MANY_SECONDS = 15


class BadBackend(BackendTest):
    """Window 0 is an I2C adapter behind a fake backend, window 1 a rng that works."""

    def setUp(self):
        super().setUp()
        self.backend = self.make()

    def make(self, faults=None):
        """A fake backend, which is stopped after the test."""
        backend = fake.FakeBackend(self.directory / "fake.sock", faults)
        self.addCleanup(backend.stop)
        return backend

    def boot_bad(self, faults=None, running=True):
        """A guest whose backend misbehaves; returns the Bed. Its rng works."""
        self.backend = self.make(faults)
        if running:
            self.backend.start()
        bed = self.boot_backends(f"device=i2c,socket={self.backend.path},answer=1", "device=rng")
        bed.guest.check(READ_RNG)
        return bed

    def replace(self, faults=None):
        """The backend ends, and one with other FAULTS is started."""
        self.backend.stop()
        self.backend = self.make(faults).start()

    def wait_log(self, bed, text):
        """virtio-msgd says TEXT, within the time it gives a backend and some more."""
        self.assertTrue(wait.until(lambda: text in bed.msgd.log(), MANY_SECONDS, 0.1),
                        f"virtio-msgd does not say: {text}")

    def bound(self, guest):
        """How many devices the I2C driver has."""
        return int(guest.check("ls -d /sys/bus/virtio/drivers/i2c_virtio/virtio* 2>/dev/null "
                               "| wc -l"))

    def wait_bound(self, guest):
        """The I2C adapter is there and its device is at work."""
        guest.wait_for("set -- /sys/bus/virtio/drivers/i2c_virtio/virtio*/status && "
                       "test $(($(cat $1))) -eq 15", MANY_SECONDS)

    def i2c_number(self, guest):
        """The number of the virtio device that the backend is behind."""
        return int(guest.check("grep -l 0x0022 /sys/bus/virtio/devices/*/device").strip()
                   .removeprefix("/sys/bus/virtio/devices/virtio").removesuffix("/device"))

    def assert_absent_until_replaced(self, bed):
        """The slot is empty, until a backend is there that behaves."""
        self.assertEqual(bed.guest.run("grep 0x0022 /sys/bus/virtio/devices/*/device").status, 1)
        self.replace()
        self.wait_bound(bed.guest)
        bed.guest.check(READ_RNG)


class Negotiation(BadBackend):
    def test_absent(self):
        bed = self.boot_bad(running=False)
        self.wait_log(bed, "trying again until it is there")
        self.assert_absent_until_replaced(bed)
        self.assertEqual(bed.msgd.log().count("trying again until it is there"), 1)
        self.assertIn("the backend is there", bed.msgd.log())

    def test_hangs(self):
        bed = self.boot_bad({fake.GET_FEATURES: fake.HANG})
        self.wait_log(bed, "the backend does not answer")
        self.assert_absent_until_replaced(bed)

    def test_nonsense(self):
        bed = self.boot_bad({fake.GET_PROTOCOL_FEATURES: fake.GARBAGE})
        self.wait_log(bed, "the backend answers nonsense")
        self.assert_absent_until_replaced(bed)

    def test_closes(self):
        bed = self.boot_bad({fake.GET_QUEUE_NUM: fake.CLOSE})
        self.wait_log(bed, "the backend closes the connection")
        self.assert_absent_until_replaced(bed)


class Setup(BadBackend):
    def test_refuses_features_it_offered(self):
        bed = self.boot_bad({fake.SET_FEATURES: fake.REFUSE})
        self.assertEqual(self.bound(bed.guest), 0)
        self.wait_log(bed, "the backend refuses features")
        self.replace()
        # The device left with its backend and is found again
        self.wait_bound(bed.guest)

    def assert_needs_reset_then_works(self, bed):
        """The driver is told, and the device can be used with a new backend."""
        number = self.i2c_number(bed.guest)
        self.wait_needs_reset(bed.guest, number)
        bed.guest.check(READ_RNG)
        self.replace()
        self.rebind(bed.guest, "i2c_virtio", number)
        self.wait_bound(bed.guest)

    def test_dies(self):
        self.assert_needs_reset_then_works(self.boot_bad({fake.SET_VRING_ADDR: fake.CLOSE}))

    def test_hangs(self):
        self.assert_needs_reset_then_works(self.boot_bad({fake.SET_VRING_KICK: fake.HANG}))

    def test_refuses(self):
        self.assert_needs_reset_then_works(self.boot_bad({fake.SET_MEM_TABLE: fake.REFUSE}))

    def test_nonsense(self):
        self.assert_needs_reset_then_works(self.boot_bad({fake.SET_VRING_NUM: fake.GARBAGE}))


class Later(BadBackend):
    def boot_good(self, faults=None):
        """A guest whose I2C adapter works, as far as a fake one does."""
        bed = self.boot_bad(faults)
        self.wait_bound(bed.guest)
        return bed

    def test_dies_between_requests(self):
        bed = self.boot_good()
        number = self.i2c_number(bed.guest)
        self.backend.stop()
        self.wait_needs_reset(bed.guest, number)
        bed.guest.check(READ_RNG)
        self.replace()
        self.rebind(bed.guest, "i2c_virtio", number)
        self.wait_bound(bed.guest)

    def test_hangs_when_the_driver_resets(self):
        bed = self.boot_good({fake.GET_VRING_BASE: fake.HANG})
        number = self.i2c_number(bed.guest)
        bed.guest.check(f"echo virtio{number} > /sys/bus/virtio/drivers/i2c_virtio/unbind", 60)
        self.assertIn("the backend does not answer GET_VRING_BASE", bed.msgd.log())
        bed.guest.check(READ_RNG)
        self.replace()
        # What could not be reset leaves, and is found again
        self.wait_bound(bed.guest)
