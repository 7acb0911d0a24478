# SPDX-License-Identifier: GPL-2.0-only
"""A guest that behaves is served whatever its neighbours, and their backends, do."""

import contextlib
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from testbed.fake_guest import Gone, Refused
from testbed.msgd_tests.case import SOON, MsgdTest
from testbed.neighbours import Neighbour
from testbed.steady_guest import WINDOW, SteadyGuest, TimedGuest

SECONDS = 2
# That a guest, a window, a device may have said in a period of 5 seconds, with the one that
# says how many there were
LINES = 21
PERIODS = 2
# Of neighbours that are no trouble, and of the whole
MORE_LINES = 20


class SteadyTest(MsgdTest):
    """Has a guest that behaves."""

    def steady(self):
        """It is connected, and its device works."""
        guest = TimedGuest(self.directory / "msgd.sock")
        self.addCleanup(guest.close)
        return SteadyGuest(guest.connect())

    def assert_all_served(self, server, steady):
        """Each request, by a kick, and none took long."""
        guest = steady.disk.guest
        [counted] = [carrier["windows"][0] for carrier in server.ask("counters")["carriers"]
                     if carrier["name"].endswith("/msgd.sock")]
        self.assertGreater(steady.served, 100)
        self.assertEqual(counted["kicks"], steady.served)
        self.assertEqual(counted["discarded"], 0)
        self.assertLess(max(guest.times), SOON * 1e9)


class Beside(SteadyTest):
    """The neighbours are processes, so their guests and backends are fast."""

    def live_beside(self, *kinds):
        """Whatever they do, all requests are served soon, and the log does not grow for ever."""
        neighbours = [Neighbour(kind, self.directory, kind, seed=1) for kind in kinds]
        server = self.serve([WINDOW], {each.name: each.windows for each in neighbours})
        steady = self.steady()
        for neighbour in neighbours:
            self.addCleanup(neighbour.kill)
            neighbour.start()
        with self.soon("a while", SECONDS + SOON):
            steady.run(SECONDS)
        # They are alive
        for neighbour in neighbours:
            neighbour.stop()
        steady.run(0.1)
        self.assert_all_served(server, steady)
        sources = sum(1 + 2 * len(each.windows) for each in neighbours)
        self.assertLess(server.log().count("\n"), sources * LINES * PERIODS + MORE_LINES)

    def test_idle(self):
        self.live_beside("idle")

    def test_flood(self):
        self.live_beside("flood")

    def test_fuzz(self):
        self.live_beside("fuzz")

    def test_slow_backend(self):
        self.live_beside("slow")

    def test_dying_backend(self):
        self.live_beside("dying")

    def test_hostile_backend(self):
        self.live_beside("wrong")

    def test_all_of_them(self):
        self.live_beside("flood", "fuzz", "slow", "dying", "wrong")


class Killed(SteadyTest):
    """The process of a neighbour is killed again and again."""

    kills = True
    TIMES = 100
    NEIGHBOURS = 20
    # Whose process lived for so long has the next one at once
    LIFE_SECONDS = 1.1

    def test_nothing_is_lost(self):
        names = [f"other{number}" for number in range(self.NEIGHBOURS)]
        server = self.serve([WINDOW], {name: ["device=rng"] for name in names})
        steady = self.steady()
        guests = {name: self.guest(name) for name in names}
        born = dict.fromkeys(names, time.monotonic())
        with self.meanwhile(steady):
            for number in range(self.TIMES):
                name = names[number % len(names)]
                time.sleep(max(0, born[name] + self.LIFE_SECONDS - time.monotonic()))
                before = steady.served
                os.kill(server.processes()[name], signal.SIGKILL)
                self.wait(lambda: self.is_served(guests[name]), f"the process of {name}")
                born[name] = time.monotonic()
                self.wait(lambda: steady.served > before, "a request's end")
        log = server.log()
        for name in names:
            self.assertEqual(log.count(f"/{name}: its process was ended by signal 9"),
                             self.TIMES // len(names))
        self.assert_all_served(server, steady)

    @contextlib.contextmanager
    def meanwhile(self, steady):
        """STEADY goes on while what is inside is done; what fails there fails here."""
        over = threading.Event()

        def go_on():
            while not over.is_set():
                steady.step()

        with ThreadPoolExecutor() as threads:
            done = threads.submit(go_on)
            try:
                yield
            finally:
                over.set()
        done.result()

    def is_served(self, guest):
        """Whether GUEST has a connection that works, which it tries to have."""
        try:
            if guest.socket is None:
                guest.connect()
            self.assert_answers(guest)
        except (Gone, Refused, ConnectionError):
            guest.disconnect()
            return False
        return True
