# SPDX-License-Identifier: GPL-2.0-only
"""A disk whose backend records what is in flight, and dies: no request is lost, none that was
completed is repeated.

Both are seen in the disk's image. While the backend is dead, all blocks that were written are
set to a mark: one whose mark is gone later was written again. What was there is put back for
the guest to verify in the end.
"""

import os
import signal
import struct
from pathlib import Path

from scripts import wait
from testbed import backends
from testbed.e2e.backend_case import READ_RNG, BackendTest

BLOCK = 4096
BLOCKS = 4096
DEPTH = 32
EMPTY, MARK = bytes(BLOCK), b"\xee" * BLOCK
FIO = (f"fio --name=verify --filename=/dev/vda --size={BLOCKS * BLOCK} --bs={BLOCK} "
       f"--rw=randwrite --ioengine=libaio --iodepth={DEPTH} --direct=1 --verify=crc32c "
       "--verify_fatal=1 --randseed=1")
WRITE = f"(echo 2 > /sys/block/vda/queue/nomerges; {FIO} --do_verify=0; echo $? > /status)"
IN_FLIGHT = f"set -- $(cat /sys/block/vda/inflight); test $2 -eq {DEPTH}"
# Of the record: its header, and the state of one descriptor
HEADER, STATE = "<QHHHH", "<B15x"
SECONDS = 10


def recorded(msgd):
    """How many requests are in flight, as the record says that virtio-msgd keeps."""
    [process] = msgd.processes().values()
    [path] = [path for path in Path(f"/proc/{process}/fd").iterdir()
              if os.readlink(path).startswith("/memfd:vhost-inflight")]
    data = path.read_bytes()
    _, version, number, _, _ = struct.unpack_from(HEADER, data)
    states = struct.iter_unpack(STATE, data[struct.calcsize(HEADER):][:16 * number])
    return version, sum(state for state, in states)


def written(process):
    """How many bytes a process wrote so far."""
    fields = dict(line.split(": ") for line in
                  Path(f"/proc/{process.pid}/io").read_text().splitlines())
    return int(fields["wchar"])


class Image:
    """What of the disk's image at PATH was written."""

    def __init__(self, path):
        self.path = path
        self.saved = {}

    def mark(self):
        """Set what was written to a mark. Returns how many blocks were written, and how many
        of these once more."""
        repeated = done = 0
        with open(self.path, "r+b") as file:
            for number in range(BLOCKS):
                file.seek(number * BLOCK)
                data = file.read(BLOCK)
                if data in (EMPTY, MARK):
                    continue
                done += 1
                repeated += number in self.saved
                self.saved[number] = data
                file.seek(number * BLOCK)
                file.write(MARK)
            file.flush()
            os.fsync(file.fileno())
        return done, repeated

    def restore(self):
        """Put back what the marks replaced."""
        with open(self.path, "r+b") as file:
            for number, data in self.saved.items():
                file.seek(number * BLOCK)
                file.write(data)
            file.flush()
            os.fsync(file.fileno())


class InFlight(BackendTest):
    def setUp(self):
        super().setUp()
        self.disk = self.backend("vhost-user-blk", backends.recording_blk, BLOCKS * BLOCK)

    def let_write(self, requests):
        """Return when the backend has done this many of the guest's requests."""
        wanted = written(self.disk.process) + requests * BLOCK
        self.assertTrue(wait.until(lambda: written(self.disk.process) >= wanted, SECONDS, 0.001),
                        "the guest writes nothing")

    def assert_all_written(self, guest):
        """fio came to its end and finds what it wrote."""
        guest.wait_for("test -s /status", 60)
        self.assertEqual(guest.check("cat /status"), "0\n")
        guest.check(f"{FIO} --verify_only", 60)

    def test_killed_again_and_again(self):
        bed = self.boot_backends(self.disk)
        guest, image = bed.guest, Image(self.disk.image)
        guest.check(f"{WRITE} > /fio.log 2>&1 &")
        rounds = in_flight = repeatable = 0
        while rounds < 6 or (not repeatable and rounds < 20):
            self.let_write(100)
            self.disk.kill()
            rounds += 1
            _, repeated = image.mark()
            self.assertLessEqual(repeated, in_flight)
            version, in_flight = recorded(bed.msgd)
            self.assertEqual(version, 1)
            repeatable += in_flight
            guest.wait_for(IN_FLIGHT)
            self.disk.start()
        self.assertGreater(repeatable, 0, "never killed while it worked on a request")
        guest.wait_for("test -s /status", 60)
        _, repeated = image.mark()
        self.assertLessEqual(repeated, in_flight)
        self.assertEqual(len(image.saved), BLOCKS)
        image.restore()
        self.assert_all_written(guest)
        # One that is killed before it has answered all is waited for once more, without a word
        self.assertIn(bed.msgd.log().count("goes on where it was"), range(1, rounds + 1))
        self.assertEqual(self.device_status(guest), 0xf)

    def test_stopped_with_requests_in_flight(self):
        bed = self.boot_backends(self.disk)
        guest = bed.guest
        self.disk.signal(signal.SIGSTOP)
        guest.check(f"{WRITE} > /fio.log 2>&1 &")
        guest.wait_for(IN_FLIGHT)
        self.disk.kill()
        self.assertEqual(self.disk.image.read_bytes(), EMPTY * BLOCKS)
        self.disk.start()
        self.assert_all_written(guest)
        self.assertEqual(bed.msgd.log().count("goes on where it was"), 1)
        self.assertEqual(self.device_status(guest), 0xf)

    def test_does_not_come_back_in_time(self):
        bed = self.boot_backends(f"{self.disk.window},reconnect=2", "device=rng")
        guest = bed.guest
        guest.check(f"{WRITE} > /fio.log 2>&1 &")
        self.let_write(100)
        self.disk.kill()
        guest.wait_for(IN_FLIGHT)
        self.assertEqual(self.device_status(guest), 0xf)
        self.wait_needs_reset(guest)
        self.assertIn("the backend did not come back in time", bed.msgd.log())
        guest.check(READ_RNG)
        self.disk.start()
        result = guest.run("dd if=/dev/vda of=/dev/null bs=4k count=1 iflag=direct", 20)
        self.assertNotEqual(result.status, 0)
        self.assertNotIn("goes on where it was", bed.msgd.log())
