"""Tests of the verdicts: what each tells a lane to do."""

from __future__ import annotations

import copy
import pickle
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import verdicts
from twisted_repeater.verdicts import (
    DO_NOTHING,
    PASS_ON,
    Close,
    Mixed,
    PassOnAndSendBack,
    Send,
    SendBack,
    Verdict,
)

WHY = ValueError("enough")


def effects(verdict: Verdict) -> tuple[Any, ...]:
    """Give all that a lane looks at."""
    return (verdict.passes, verdict.forward, verdict.back, verdict.closes, verdict.error)


class EffectTests(SynchronousTestCase):
    """What a lane is told."""

    def test_effects(self) -> None:
        """Each verdict has the effects that it is named after, and no other."""
        for verdict, expected in (
            (PASS_ON, (True, (), (), False, None)),
            (DO_NOTHING, (False, (), (), False, None)),
            (Send(b"m"), (False, (b"m",), (), False, None)),
            (Send(b"m", b"n"), (False, (b"m", b"n"), (), False, None)),
            (SendBack([b"m", b"n"]), (False, (), (b"m", b"n"), False, None)),
            (SendBack([]), (False, (), (), False, None)),
            (PassOnAndSendBack(m for m in (b"m", b"n")), (True, (), (b"m", b"n"), False, None)),
            (Close(), (False, (), (), True, None)),
            (Close(WHY, forward=[1], back=[2, 3]), (False, (1,), (2, 3), True, WHY)),
            (Mixed(), (False, (), (), False, None)),
            (Mixed(passes=True, forward=[1], back=[2], closes=True, error=WHY), (True, (1,), (2,), True, WHY)),
        ):
            self.assertEqual(effects(verdict), expected)
            self.assertIsInstance(verdict, Verdict)

    def test_send_needs_a_message(self) -> None:
        """Sending nothing instead of a message has a name of its own."""
        error = self.assertRaises(TypeError, Send)
        self.assertIn("DO_NOTHING", str(error))

    def test_one_message_is_no_list(self) -> None:
        """A message where a list of messages is meant is refused: its bytes would be sent one by one."""
        for one in (b"m", bytearray(b"m"), memoryview(b"m"), "m"):
            for make, hint in (
                (lambda one=one: SendBack(one), "SendBack([message])"),
                (lambda one=one: PassOnAndSendBack(one), "PassOnAndSendBack([message])"),
                (lambda one=one: Close(forward=one), "Close(forward=[message])"),
                (lambda one=one: Close(back=one), "Close(back=[message])"),
                (lambda one=one: Mixed(back=one), "Mixed(back=[message])"),
            ):
                self.assertIn(hint, str(self.assertRaises(TypeError, make)))


class ValueTests(SynchronousTestCase):
    """Verdicts are values: compared, copied, shown."""

    def test_equality(self) -> None:
        """Two of a kind are equal if their effects are; two kinds never are."""
        self.assertEqual(Send(b"m"), Send(b"m"))
        self.assertEqual(hash(Send(b"m")), hash(Send(b"m")))
        self.assertNotEqual(Send(b"m"), Send(b"n"))
        self.assertNotEqual(PASS_ON, DO_NOTHING)
        self.assertNotEqual(SendBack([b"m"]), PassOnAndSendBack([b"m"]))
        self.assertNotEqual(Close(WHY), Close())
        self.assertNotEqual(Send(b"m"), "Send(b'm')")

    def test_constants_stay_themselves(self) -> None:
        """A copy of a constant is the constant: a lane knows it by identity."""
        for constant in (PASS_ON, DO_NOTHING):
            self.assertIs(copy.deepcopy(constant), constant)
            self.assertIs(pickle.loads(pickle.dumps(constant)), constant)

    def test_shown_as_written(self) -> None:
        """A verdict is shown as the expression that makes it."""
        for verdict in (
            PASS_ON,
            DO_NOTHING,
            Send(b"m", 2),
            SendBack([b"m"]),
            PassOnAndSendBack(["m"]),
            Close(back=[b"m"]),
            Mixed(passes=True, back=[b"m"]),
        ):
            self.assertEqual(eval(repr(verdict), vars(verdicts).copy()), verdict)

    def test_no_room_for_more(self) -> None:
        """An attribute that no lane looks at is refused, so a misspelt one doesn't go unnoticed."""
        with self.assertRaises(AttributeError):
            Send(b"m").froward = b"n"  # type: ignore[attr-defined]
