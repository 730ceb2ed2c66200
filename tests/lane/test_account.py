"""Tests of what is kept of a message until it is told of."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._lane.account import Account
from twisted_repeater.model import Direction
from twisted_repeater.verdicts import DROP, PASS_ON, Verdict
from twisted_repeater.watching import WatchedMessage


class Surroundings:
    """Stands for a lane, its output and the one who watches."""

    link: Any = None
    direction = Direction.TO_CLIENT
    messages = 7

    def __init__(self) -> None:
        self.times = iter((10.0, 12.5))
        self.made = (b"forward", b"back")
        self.seen: list[WatchedMessage] = []

    def now(self) -> float:
        """See `LaneWatch`."""
        return next(self.times)

    def message_watched(self, message: WatchedMessage) -> None:
        """See `LaneWatch`."""
        self.seen.append(message)

    def noted(self) -> tuple[bytes, bytes]:
        """See `Output`."""
        return self.made


class AccountTests(SynchronousTestCase):
    """One message."""

    def tell(self, verdict: Verdict, passed: bool, decode: Any = None, message: object = b"p") -> WatchedMessage:
        """Return what is told of a frame that came in pieces."""
        around: Any = Surroundings()
        account = Account(around, around, around, decode)
        account.begin(b"p")
        account.take([b"head", b"p"], b"tail")
        account.tell(verdict, True, b"p" if message == b"p" else message, passed)
        told: WatchedMessage = around.seen[0]
        return told

    def test_message(self) -> None:
        """It is told of with its number, its times, its joined frame, and what the output has noted."""
        told = self.tell(DROP, passed=False)
        self.assertEqual((told.number, told.time, told.took, told.frame), (7, 10.0, 2.5, b"headptail"))
        self.assertEqual((told.to_client, told.to_server, told.message), (b"forward", b"back", b"p"))

    def test_passed_alone(self) -> None:
        """If only the frame passes, the output is not asked what it made."""
        self.assertEqual(self.tell(PASS_ON, passed=True).to_client, b"headptail")

    def test_translated(self) -> None:
        """If it passes in another version, its frame is among what the output made."""
        self.assertEqual(self.tell(PASS_ON, passed=False).to_client, b"forward")

    def test_decoded(self) -> None:
        """The message is the object that the filter got; without one, the payload is decoded."""

        def decode(payload: bytes) -> object:
            return payload.upper()

        self.assertEqual(self.tell(PASS_ON, True, decode, message="seen").message, "seen")
        around: Any = Surroundings()
        account = Account(around, around, around, decode)
        payload = b"p"
        account.begin(payload)
        account.take(None, b"frame")
        account.tell(PASS_ON, False, payload, True)
        self.assertEqual((around.seen[0].message, around.seen[0].frame), (b"P", b"frame"))
