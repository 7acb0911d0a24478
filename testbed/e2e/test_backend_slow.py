# SPDX-License-Identifier: GPL-2.0-only
"""Backends that take their time: the driver that asks sleeps, and nobody else waits."""

from testbed import fake_backend as fake
from testbed.e2e.backend_case import BackendTest

# As of guests with very much memory
TABLE_SECONDS = 20
CONFIG_SECONDS = 0.9
READ_CLOCK = "i2cget -y $clock 0x68 6 > /dev/null"
# Reads the clock for as long as the process $1 runs, or $2 hundredths of a second without
# one; says how often and for how many hundredths
PACE = f"""
now() {{ awk '{{ print int($1 * 100) }}' /proc/uptime; }}
pace() {{
  start=$(now); reads=0
  while if [ -n "$1" ]; then kill -0 $1 2>/dev/null; else [ $(($(now) - start)) -lt $2 ]; fi; do
    {READ_CLOCK} || exit 1
    reads=$((reads + 1))
  done
  echo $reads $(($(now) - start))
}}
"""


class SlowBackends(BackendTest):
    """Window 0 has a clock that is always there, 1 an I2C adapter and 2 a disk with backends."""

    cpus = 1

    def make(self, name, **options):
        """A fake backend, which is stopped after the test."""
        backend = fake.FakeBackend(self.directory / f"{name}.sock", **options)
        self.addCleanup(backend.stop)
        return backend

    def pace(self, text):
        """Reads each second, of what pace() said."""
        reads, hundredths = map(int, text.split())
        return reads * 100 / hundredths

    def device(self, guest, window):
        """The name of the device behind WINDOW, when it has come."""
        return guest.wait_for(f"cd /sys/bus/platform/devices/virtio-msg-mmio.{window}; "
                              "ls -d virtio*").strip()

    def test_others_go_on(self):
        # It is given the guest's memory when its driver is bound, once: it comes later
        adapter = self.make("adapter", faults={fake.SET_MEM_TABLE: TABLE_SECONDS})
        disk = self.make("disk", features=fake.VERSION_1,
                         protocol=fake.MQ | fake.REPLY_ACK | fake.CONFIG).start()
        bed = self.boot_backends("device=i2c", f"device=i2c,socket={adapter.path}",
                                 f"device=blk,socket={disk.path}", cpus=self.cpus)
        clock = bed.node(0, "i2c-*").rpartition("-")[2]
        disk_name = self.device(bed.guest, 2)
        bed.guest.check("cd /sys/bus/virtio; echo 0 >drivers_autoprobe; "
                        f"echo {disk_name} >drivers/virtio_blk/unbind")
        adapter.start()
        name = self.device(bed.guest, 1)
        head = f"{PACE}\nclock={clock}\n"
        alone = self.pace(bed.guest.check(f"{head} pace '' 300"))

        disk.faults[fake.GET_CONFIG] = CONFIG_SECONDS
        before = len(disk.requests)
        said = bed.guest.check(f"""{head}
            cd /sys/bus/virtio/drivers
            (usleep 300000; echo {name} >i2c_virtio/bind) & slow=$!
            while kill -0 $slow 2>/dev/null; do
              echo {disk_name} >virtio_blk/bind; echo {disk_name} >virtio_blk/unbind
            done 2>/dev/null & pace $slow; wait""", 120)
        self.assertGreaterEqual(int(said.split()[1]), 100 * TABLE_SECONDS)
        self.assertEqual(self.device_status(bed.guest, int(name.removeprefix("virtio"))), 15)
        self.assertGreater(disk.requests[before:].count(fake.GET_CONFIG), 5)
        # They share CPUs with what is bound and unbound meanwhile
        self.assertGreater(self.pace(said), alone / 3)
        complaints = [line for line in bed.guest.kernel_log()
                      if any(word in line for word in ("stall", "lockup", "hung", "no response"))]
        self.assertEqual(complaints, [])


class SlowBackendsLts(SlowBackends):
    base = "lts"


class SlowBackendsTwoCpus(SlowBackends):
    cpus = 2
