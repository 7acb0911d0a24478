# SPDX-License-Identifier: GPL-2.0-only
import unittest

from bench import words
from bench.tests.test_counts import counters

PROBE = {"GET_DEVICE_INFO": 1, "GET_DEVICE_FEATURES": 1, "SET_DRIVER_FEATURES": 1,
         "SET_DEVICE_STATUS": 5, "GET_VQUEUE": 1, "SET_VQUEUE": 1}


class Words(unittest.TestCase):
    def test_a_message_and_its_response(self):
        # 12 bytes each way: 8 + 4 and 8 + 4, or 3 and 2 + 1
        self.assertEqual(words.message("SET_DEVICE_STATUS", 8), 4)
        self.assertEqual(words.message("SET_DEVICE_STATUS", 4), 6)
        # 8 bytes, and 8 + 44
        self.assertEqual(words.message("GET_DEVICE_INFO", 8), 1 + 1 + 6)
        self.assertEqual(words.message("GET_DEVICE_INFO", 4), 2 + 2 + 11)

    def test_a_probe_in_window_mode(self):
        found = counters({"Magic": 1, "Identity": 1, "Event": 1, "Window": 28},
                         {"Page": 1, "Window": 24, "QueueNotify": 1}, 1, 1, PROBE)
        self.assertEqual(words.window_mode(found, 8), 56)
        self.assertEqual(words.window_mode(found, 4), 98)

    def test_a_probe_in_page_mode(self):
        found = counters({"Magic": 1, "Identity": 1}, {"Page": 1, "Doorbell": 10}, 0, 0, PROBE)
        self.assertEqual(words.page_mode(found, 8), 13)
        self.assertEqual(words.page_mode(found, 4), 15)
