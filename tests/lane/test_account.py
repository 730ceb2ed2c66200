"""Tests of what is kept of a message until it is told of."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._lane.account import WatchClock
from twisted_repeater.selectors import first_byte
from twisted_repeater.verdicts import PASS_ON, Send

from .lanes import frames
from .watched import WatchedLaneCase


class ClockTests(SynchronousTestCase):
    """The time of messages."""

    def test_set_back(self) -> None:
        """If the clock is set back, times go on from where they were."""
        clock = WatchClock(iter((10.0, 4.0, 5.0)).__next__)
        self.assertEqual([clock.now() for _ in range(3)], [10.0, 10.0, 11.0])


class AccountTests(WatchedLaneCase):
    """Messages of one lane."""

    def test_message(self) -> None:
        """It is told of with its number, its times, its frame, and what went out; the next one is without all that."""
        self.answers[b"ask"] = Send(b"x", b"y")
        self.feed(frames(b"ask", b"next"))
        asked, then = self.seen
        self.assertEqual((asked.number, asked.time, asked.took, asked.frame), (1, 1.0, 1.0, frames(b"ask")))
        self.assertEqual((asked.to_server, asked.to_client, asked.message), (frames(b"x", b"y"), b"", b"ask"))
        self.assertEqual((then.to_server, then.forward, then.verdict), (frames(b"next"), b"", PASS_ON))

    def test_decoded(self) -> None:
        """The message is the object that the filter got; without one, the payload is decoded."""
        self.watched(filter=self.answer, selector=first_byte(b"a"), decode=bytes.upper)
        self.feed(frames(b"a", b"b"))
        self.assertEqual([each.message for each in self.seen], [b"A", b"B"])
