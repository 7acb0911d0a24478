# SPDX-License-Identifier: GPL-2.0-only
import unittest

from bench import counts
from bench.transports import PAGE, STOCK, WINDOW
from scripts import say


def counters(read=None, write=None, kicks=0, interrupts=0, requests=None):
    read, write = read or {}, write or {}
    return {"traps": {"total": sum(read.values()) + sum(write.values()), "read": read,
                      "write": write},
            "requests": requests or {}, "kicks": kicks, "interrupts": interrupts}


class PerOperation(unittest.TestCase):
    def test_stock(self):
        found = counts.per_operation(
            counters({"InterruptStatus": 5}, {"QueueNotify": 5, "InterruptACK": 5}, 5, 5),
            STOCK, 5)
        self.assertEqual(found, {"kick": 1, "interrupt": 2, "round_trip": 3})

    def test_window(self):
        found = counts.per_operation(counters({"Event": 5}, {"QueueNotify": 5}, 5, 5), WINDOW, 5)
        self.assertEqual(found, {"kick": 1, "interrupt": 1, "round_trip": 2})

    def test_page(self):
        found = counts.per_operation(counters({}, {"QueueNotify": 5}, 5, 5), PAGE, 5)
        self.assertEqual(found, {"kick": 1, "interrupt": 0, "round_trip": 1})

    def test_one_trap_too_many_is_an_error(self):
        for read, write in (({"Event": 6}, {"QueueNotify": 5}),
                            ({"Event": 5, "Magic": 1}, {"QueueNotify": 5})):
            with self.assertRaisesRegex(say.Error, "come out even"):
                counts.per_operation(counters(read, write, 5, 5), WINDOW, 5)

    def test_other_numbers_of_kicks_or_interrupts_are_errors(self):
        for kicks, interrupts, wrong in ((4, 5, "kicks"), (5, 6, "interrupts")):
            with self.assertRaisesRegex(say.Error, wrong):
                counts.per_operation(counters({}, {"QueueNotify": kicks}, kicks, interrupts),
                                     PAGE, 5)


class Probe(unittest.TestCase):
    def test_interrupts_are_left_out(self):
        found = counters({"Magic": 1, "Event": 1}, {"Window": 4, "QueueNotify": 1}, 1, 1)
        self.assertEqual(counts.probe(found, WINDOW), 6)

    def test_a_device_that_works_already_is_an_error(self):
        with self.assertRaisesRegex(say.Error, "2 kicks"):
            counts.probe(counters({}, {"QueueNotify": 2}, 2, 2), PAGE)


class Describe(unittest.TestCase):
    def test_registers_and_messages(self):
        self.assertEqual(counts.describe(counters({"Magic": 1}, {"Doorbell": 2}, 0, 0,
                                                  {"GET_CONFIG": 2})),
                         "traps: read Magic 1, write Doorbell 2, GET_CONFIG 2")
