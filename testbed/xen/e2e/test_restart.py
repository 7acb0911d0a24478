# SPDX-License-Identifier: GPL-2.0-only
"""virtio-msgd stopped or killed, and started again, under guests that go on."""

from testbed.xen.e2e.backend_case import BackendTest
from testbed.xen.e2e.test_chain import NVRAM, RTC, i2c

# Writes a value, reads it back; says which did not work
WORK = (f"n=0; while ! test -e /stop; do n=$(( (n + 1) % 256 )); "
        f"i2cset -y 0 {RTC} {NVRAM} $n && test $(( $(i2cget -y 0 {RTC} {NVRAM}) )) = $n "
        "|| echo failed $n; echo $n >/done; done")
STATUS_OK = "0x0000000f"


class Restart(BackendTest):
    """The device is vhost-device-i2c's, which loses its connection every time."""

    def assert_goes_on(self, guest, value):
        """The driver uses the device that it had."""
        self.write_nvram(guest, value)
        self.assertEqual(self.bus_byte(), value)
        self.assertEqual(guest.run("cat /sys/bus/virtio/devices/virtio0/status").strip(),
                         STATUS_OK)

    def check_restart(self, signal, options="", **changes):
        """The guest goes on with the next virtio-msgd, and with the one after that."""
        service = self.serve(options)
        guest = self.guest(**changes)
        self.assert_goes_on(guest, 4)
        for value in (5, 6):
            service.stop(signal)
            service.start()
            self.assert_goes_on(guest, value)
        self.assertEqual(service.log().count(": goes on"), 2, service.log())
        guest.destroy()
        self.assert_nothing_left(service)

    def test_stopped_and_started(self):
        self.check_restart("TERM")

    def test_stopped_and_started_in_window_mode(self):
        self.check_restart("TERM", ",page=off")

    def test_stopped_and_started_with_foreign_mapping(self):
        self.check_restart("TERM", virtio=[i2c(grants=0)])

    def test_killed_and_started(self):
        self.check_restart("KILL", ",ioeventfd=off")

    def test_parent_killed_and_started(self):
        service = self.serve()
        guest = self.guest()
        self.assert_goes_on(guest, 4)
        service.crash()
        # Nobody is missing for the guest
        self.assert_goes_on(guest, 5)
        service.start()
        self.assertIn("goes on, under this virtio-msgd", service.log())
        self.assert_goes_on(guest, 6)
        guest.destroy()
        self.assert_nothing_left(service)

    def test_process_of_the_guest_killed(self):
        service = self.serve(",ioeventfd=off")
        guest = self.guest()
        for value in (4, 5):
            self.assert_goes_on(guest, value)
            service.kill_guests()
        self.assert_goes_on(guest, 6)
        self.assertEqual(service.log().count("it is started again"), 2, service.log())
        guest.destroy()
        self.assert_nothing_left(service)

    def test_process_of_the_guest_has_no_rights(self):
        service = self.serve()
        self.guest()
        [pid] = service.guest_pids()
        status = self.dom0.run(f"cat /proc/{pid}/status")
        self.assertRegex(status, r"(?m)^NoNewPrivs:\s1$")
        self.assertRegex(status, r"(?m)^Seccomp:\s2$")
        # What it has of xenstore it has from its parent
        self.assertNotIn("xenbus", self.dom0.run(f"ls -l /proc/{pid}/fd"))
        with_store = self.dom0.run("ls -l /proc/$(cat /run/virtio-msgd/pid)/task | wc -l")
        alone = self.dom0.run(f"ls -l /proc/{pid}/task | wc -l")
        # The library reads xenstore's messages in a thread of its own
        self.assertEqual(int(with_store) - int(alone), 1)

    def test_while_the_guest_is_at_work(self):
        service = self.serve()
        guest = self.guest()
        guest.run(f"({WORK}) >/failures 2>&1 &")
        for _ in range(3):
            before = guest.run("cat /done 2>/dev/null || true")
            guest.wait(f"test \"$(cat /done)\" != '{before.strip()}'", 30, "progress")
            service.stop()
            service.start()
        guest.run("touch /stop; wait", 60)
        self.assertEqual(guest.run("cat /failures"), "")
        self.assert_goes_on(guest, 7)

    def test_guest_waits_while_there_is_none(self):
        service = self.serve()
        guest = self.guest()
        service.stop()
        guest.type(f"i2cset -y 0 {RTC} {NVRAM} 0x3c; echo done")
        service.start()
        self.dom0.wait(f"grep -q ^done {guest.console}", 30, "the guest's going on")
        self.assertEqual(self.bus_byte(), 0x3c)

    def test_backend_that_comes_after_it(self):
        service = self.serve()
        guest = self.guest()
        service.stop()
        self.backend.__exit__()
        service.start()
        guest.type(f"i2cset -y 0 {RTC} {NVRAM} 0x3d; echo done")
        self.backend.__enter__()
        self.dom0.wait(f"grep -q ^done {guest.console}", 30, "the guest's going on")
        self.assertEqual(self.bus_byte(), 0x3d)
        self.assertIn(": goes on", service.log())

    def test_backend_that_does_not_come(self):
        service = self.serve()
        guest = self.guest()
        service.stop()
        self.backend.__exit__()
        service.start()
        # It has been waited for; then it is gone, and the guest works
        guest.wait("! test -e /sys/bus/i2c/devices/i2c-0", 30, "the device's leaving")
        self.assertIn("is taken away from the guest", service.log())
        self.backend.__enter__()
        guest.wait("test -e /sys/bus/i2c/devices/i2c-0", 30, "the device's return")
        self.assert_goes_on(guest, 8)

    def test_requests_that_cannot_be_kept(self):
        service = self.serve(",ioeventfd=off,reconnect=0")
        guest = self.guest()
        service.stop("KILL")
        service.start()
        guest.wait("test $(($(cat /sys/bus/virtio/devices/virtio0/status) & 0x40)) -ne 0", 30,
                   "DEVICE_NEEDS_RESET")
        # The driver bound again has a device that works
        path = "/sys/bus/virtio/drivers/i2c_virtio"
        guest.run(f"echo virtio0 >{path}/unbind")
        guest.wait(f"test -e {path}/virtio* || echo virtio0 >{path}/bind", 30, "the bind")
        guest.wait("test -e /sys/bus/i2c/devices/i2c-*", 30, "the bus")
        self.assertEqual(guest.run(f"i2cset -y $(ls /sys/bus/i2c/devices | sed 's/i2c-//') "
                                   f"{RTC} {NVRAM} 0x21; echo $?").strip(), "0")
        self.assertEqual(self.bus_byte(), 0x21)
