"""Requests that are refused in part."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.mqtt.requests import Requests


class RequestTests(SynchronousTestCase):
    """Requests."""

    def test_merged(self) -> None:
        """The answer has a code for each topic filter, in order."""
        requests = Requests()
        requests.sent(1, ["a", "b", "c", "a"], ["b", "a"], 0x87)
        self.assertEqual(requests.answered(1, [1, 2]), (0x87, 1, 0x87, 2))
        self.assertIsNone(requests.answered(1, [1, 2]))

    def test_whole(self) -> None:
        """The answer to a whole request, even altered, and one without codes, are the broker's."""
        requests = Requests()
        requests.sent(1, ["a", "b"], ["c", "d"], 0x87)
        self.assertIsNone(requests.answered(1, [1, 2]))
        requests.sent(1, ["a", "b"], ["b"], 0x87)
        self.assertIsNone(requests.answered(1, []))

    def test_too_few(self) -> None:
        """Codes that the broker leaves out are failures."""
        requests = Requests()
        requests.sent(1, ["a", "b", "c"], ["a", "b"], 0x87)
        self.assertEqual(requests.answered(1, [1]), (1, 0x80, 0x87))
