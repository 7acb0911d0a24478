# SPDX-License-Identifier: GPL-2.0-only
"""A vhost-user backend that takes its time: the guest's driver that asks sleeps, and nobody
else waits."""

from testbed.xen.e2e.test_chain import ChainTest, i2c, rng
from testbed.xen.service import BUILT_IN, I2cBackend, Service

# How long it does not answer; less than virtio-msgd waits for it
SECONDS = 8
# A task that keeps a vCPU for that long is complained about; the default is longer than SECONDS
STALL = "/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout"
STALL_SECONDS = 5
DRIVER = "/sys/bus/virtio/drivers/i2c_virtio"
# Reads random numbers for $1 seconds, says how often
PACE = r"""#!/bin/sh
now() { cut -d. -f1 /proc/uptime; }
end=$(($(now) + $1)) reads=0
while [ $(now) -lt $end ]; do
  dd if=/dev/hwrng of=/dev/null bs=64 count=1 2>/dev/null || exit 1
  reads=$((reads + 1))
done
echo $reads
"""
ALL_VCPUS = ("for vcpu in 1 2; do taskset $vcpu sh /pace {} & paces=\"$paces $!\"; done; "
             "wait $paces")


class Slow(ChainTest):
    """The I2C device's backend is stopped when the guest's driver is bound."""

    def setUp(self):
        super().setUp()
        self.backend = I2cBackend(self.dom0)
        self.service = Service(self.dom0, (self.backend.rule, BUILT_IN[1]))
        self.service.start()
        self.addCleanup(self.service.stop)

    def paces(self, guest, seconds, before=""):
        """How often each vCPU read in SECONDS."""
        said = guest.run(f"paces=; {before} {ALL_VCPUS.format(seconds)}", 60)
        self.assertEqual(len(said.split()), 2, said)
        return [int(word) for word in said.split()]

    def unbound(self, guest):
        """The name of the I2C device, which has come to a guest that binds no driver to it."""
        guest.run("echo 0 >/sys/bus/virtio/drivers_autoprobe")
        self.backend.__enter__()
        self.addCleanup(self.backend.__exit__)
        find = "grep -lx 0x0022 /sys/bus/virtio/devices/*/device"
        guest.wait(find, 30, "the device's arrival")
        return guest.run(find).split("/")[-2]

    def test_others_go_on(self):
        guest = self.guest(vcpus=2, virtio=[i2c(), rng()])
        guest.run(f"printf %s '{PACE}' >/pace; echo {STALL_SECONDS} >{STALL}; dmesg -n 1")
        name = self.unbound(guest)
        alone = self.paces(guest, SECONDS // 2)
        guest.run("dmesg -c >/dev/null")
        before = self.service.counters(index=1)["kicks"]

        self.backend.signal("STOP")
        reads = self.paces(guest, SECONDS, f"(echo {name} >{DRIVER}/bind; echo $? >/bound) &")
        # It waits all the time; what others asked for was done by the same virtio-msgd
        guest.run("! test -e /bound")
        self.assertGreater(self.service.counters(index=1)["kicks"] - before, 0)
        self.backend.signal("CONT")
        guest.wait("test -e /bound", 30, "the end of the bind")

        self.assertEqual(guest.run("cat /bound").strip(), "0")
        guest.wait("test -e /sys/bus/i2c/devices/i2c-0", 30, "the bus")
        self.write_nvram(guest, 0x44)
        self.assertEqual(self.backend.byte(), 0x44)
        for vcpu in range(2):
            self.assertGreater(reads[vcpu] / SECONDS, alone[vcpu] / (SECONDS // 2) / 3)
        complaints = [line for line in guest.run("dmesg").splitlines()
                      if any(word in line for word in ("stall", "lockup", "hung", "rcu",
                                                       "no response"))]
        self.assertEqual(complaints, [])
