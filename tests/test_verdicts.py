"""Tests of the verdicts: their effects in a lane."""

from __future__ import annotations

import copy
import pickle
from collections import deque
from typing import Any, NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import verdicts
from twisted_repeater.verdicts import (
    DO_NOTHING,
    PASS_ON,
    Close,
    Frame,
    Later,
    Mixed,
    PassOnAndSendBack,
    Send,
    SendBack,
    Verdict,
    delayed_like,
    plain,
)

from .unprintable import BrokenVerdict, Mute

WHY = ValueError("enough")


class Reject(NamedTuple):
    """A message."""

    id: int
    reason: str


def effects(verdict: Verdict) -> tuple[Any, ...]:
    """Return all that a lane looks at."""
    return (verdict.passes, verdict.forward, verdict.back, verdict.closes, verdict.error)


class LaterTests(SynchronousTestCase):
    """A verdict that comes later."""

    def test_it_has_the_effects_of_another(self) -> None:
        """Its effects are those of the verdict that it delays, by default of PASS_ON."""
        self.assertEqual(effects(Later(1)), effects(PASS_ON))
        self.assertEqual(effects(Later(1, Close(WHY, back=[b"m"]))), effects(Close(WHY, back=[b"m"])))
        self.assertEqual((Later(1).delay, PASS_ON.delay, Later(0).delay), (1, 0, 0))

    def test_delays_add_up(self) -> None:
        """A later verdict that comes later has both delays."""
        twice = Later(1, Later(2, Send(b"m")))
        self.assertEqual((twice.delay, repr(twice)), (3, "Later(3.0, Send(b'm'))"))
        self.assertEqual(twice, Later(3, Send(b"m")))
        self.assertNotEqual(twice, Later(2, Send(b"m")))

    def test_wrong_delays(self) -> None:
        """A delay below 0, that is not a number, or of more than a year, is refused, and so is what is no verdict."""
        wrong: Any
        for wrong in (-1, float("nan"), float("inf"), 1e9):
            self.assertRaisesRegex(ValueError, "the delay must be at least 0", Later, wrong)
            self.assertRaisesRegex(ValueError, "Mixed: the delay must be", Mixed, delay=wrong)
        for wrong in ("1", None, True):
            self.assertRaisesRegex(TypeError, "the delay must be a number of seconds", Later, wrong)
        self.assertRaisesRegex(TypeError, "Later takes a verdict", Later, 1, b"m")

    def test_mixed(self) -> None:
        """A mixture may have a delay, and says so."""
        self.assertEqual(Mixed(delay=2).delay, 2)
        self.assertIn("delay=2", repr(Mixed(delay=2)))
        self.assertNotIn("delay", repr(Mixed()))

    def test_what_is_made_of_a_later_verdict(self) -> None:
        """A verdict that is made of another one gets its delay."""
        self.assertIs(delayed_like(PASS_ON, Send(b"m")), PASS_ON)
        self.assertEqual(delayed_like(Send(b"m"), Later(1)), Later(1, Send(b"m")))

    def test_frame(self) -> None:
        """A frame says what it is."""
        self.assertEqual(repr(Frame(b"m")), "Frame(b'm')")


class PlainTests(SynchronousTestCase):
    """Verdicts of the application's own classes."""

    def test_own(self) -> None:
        """A verdict of this module stays as it is."""
        for verdict in (PASS_ON, DO_NOTHING, Send(b"m"), Close(WHY), Mixed(passes=True)):
            self.assertIs(plain(verdict), verdict)

    def test_others(self) -> None:
        """Of another class, a verdict is made that has the same effects."""

        class Two(Send):
            """Sends a message twice."""

            def __init__(self, message: bytes) -> None:
                super().__init__(message, message)

        class Odd(Verdict):
            passes: Any = 1
            forward: Any = [b"m"]  # noqa: RUF012
            back: Any = deque([b"n"])  # noqa: RUF012
            closes: Any = ()
            error = WHY

        self.assertEqual(effects(plain(Two(b"m"))), effects(Send(b"m", b"m")))
        self.assertEqual(effects(plain(Odd())), (True, (b"m",), (b"n",), False, WHY))

    def test_what_no_verdict_has(self) -> None:
        """What its attributes raise is raised; a value that no verdict has is a ``TypeError``."""
        for attribute in ("passes", "forward", "back", "closes", "error"):
            self.assertRaises(Mute, plain, BrokenVerdict(attribute))
        for attribute, value in (("forward", b"m"), ("back", "m"), ("forward", 5), ("back", None), ("error", "no")):
            kind = type("Odd", (Verdict,), {attribute: value})
            self.assertRaises(TypeError, plain, kind())


class EffectTests(SynchronousTestCase):
    """The effects of verdicts."""

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
        """A message where a list of messages is meant is refused: its bytes, or fields, would be sent one by one."""
        one: Any
        for one in (b"m", bytearray(b"m"), memoryview(b"m"), "m", {"m": 1}, Reject(1, "no"), 5):
            for make, hint in (
                (lambda one=one: SendBack(one), "SendBack([message])"),
                (lambda one=one: PassOnAndSendBack(one), "PassOnAndSendBack([message])"),
                (lambda one=one: Close(forward=one), "Close(forward=[message])"),
                (lambda one=one: Close(back=one), "Close(back=[message])"),
                (lambda one=one: Mixed(back=one), "Mixed(back=[message])"),
            ):
                self.assertIn(hint, str(self.assertRaises(TypeError, make)))

    def test_any_list(self) -> None:
        """The messages may come in whatever holds several."""
        message = Reject(1, "no")
        for several in ([message], (message,), {message}, iter([message]), deque([message])):
            self.assertEqual(SendBack(several), SendBack([message]))

    def test_error(self) -> None:
        """Why a link is closed is said by an exception."""
        wrong: Any = "enough"
        with self.assertRaisesRegex(TypeError, "Close: the error must be an exception, not 'enough'"):
            Close(wrong)
        with self.assertRaisesRegex(TypeError, "Mixed: the error must be an exception, not <class 'ValueError'>"):
            Mixed(error=ValueError)  # type: ignore[arg-type]


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

    def test_equal_errors(self) -> None:
        """Errors are the same if they are of one class and say the same."""
        self.assertEqual(Close(ValueError("enough")), Close(WHY))
        self.assertEqual(hash(Close(ValueError("enough"))), hash(Close(WHY)))
        self.assertEqual(Mixed(closes=True, error=ValueError("enough")), Mixed(closes=True, error=WHY))
        for other in (ValueError("more"), ValueError(), ValueError("enough", 1), LookupError("enough")):
            self.assertNotEqual(Close(other), Close(WHY))

    def test_constants_stay_themselves(self) -> None:
        """A copy of a constant is the constant: a lane knows it by identity."""
        for constant in (PASS_ON, DO_NOTHING):
            self.assertIs(copy.deepcopy(constant), constant)
            self.assertIs(pickle.loads(pickle.dumps(constant)), constant)

    def test_copies_say_the_same(self) -> None:
        """A copy of a verdict is equal to it, also one that came from another process."""
        for verdict in (
            Send(b"m", 2),
            SendBack([b"m"]),
            PassOnAndSendBack(["m"]),
            Close(WHY, forward=[1], back=[b"m"]),
            Mixed(passes=True, back=[b"m"], delay=3),
            Later(2, SendBack([b"m"])),
        ):
            for copied in (copy.copy(verdict), copy.deepcopy(verdict), pickle.loads(pickle.dumps(verdict))):
                self.assertEqual(copied, verdict)

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
