"""Messages that are only counted."""

from __future__ import annotations

import contextlib
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.fix import BusinessMessageReject, Logon, Message, Reject, ResendRequest, SequenceReset
from twisted_repeater.dialects.fix.codec import SessionCodec, decode
from twisted_repeater.dialects.fix.scan import written
from twisted_repeater.dialects.fix.tracking import Tracker, Untracked, number_in
from twisted_repeater.dialects.fix.values import Value
from twisted_repeater.selectors import NOTHING
from twisted_repeater.verdicts import PASS_ON

from . import samples
from .numbers_rig import frame, order


class TrackingTests(SynchronousTestCase):
    """Numbers in the bytes."""

    def test_tracker(self) -> None:
        """Messages are counted in their bytes; what needs a closer look is selected."""
        tracker = Tracker()
        selector = Untracked(tracker, False, None)
        first = frame(order(), 5).frame
        self.assertTrue(selector.matches(first, 0, len(first)))
        tracker.is_quiet, tracker.last = True, 4
        self.assertFalse(selector.matches(first, 0, len(first)))
        self.assertTrue(selector.matches(first, 0, len(first)))
        tracker.last = 4
        self.assertTrue(Untracked(tracker, True, None).matches(first, 0, len(first)))
        self.assertFalse(Untracked(tracker, True, NOTHING).matches(first, 0, len(first)))
        self.assertRaises(ValueError, selector.matches, b"abc", 2, 9)
        unmade: Any = Untracked.__new__(Untracked)
        self.assertRaises(AttributeError, unmade.matches, b"abc", 0, 3)
        with contextlib.suppress(AttributeError):  # compiled, it is None already, and hidden
            unmade._tracker = None
        self.assertRaises(AttributeError, unmade.matches, b"abc", 0, 3)

    def test_is_next(self) -> None:
        """The message after the last just passes, unless it names another number."""
        tracker = Tracker()
        fifth = frame(order(), 5)
        self.assertFalse(tracker.is_next(fifth))
        tracker.is_quiet, tracker.last = True, 4
        told = frame(order(), 5, f369="3")
        naming = [Logon({}), Reject({45: 2}), BusinessMessageReject({45: 2}), ResendRequest({}), SequenceReset({36: 9})]
        self.assertEqual([tracker.is_next(one) for one in (fifth, told, frame(order(), 6))], [True, True, False])
        self.assertEqual([tracker.is_next(frame(one, 5)) for one in naming], [False] * 5)
        self.assertTrue(tracker.is_next(frame(Message("AA"), 5)))
        self.assertFalse(tracker.is_next(Message("AA")))
        tracker.other_shift = 1
        data = SessionCodec().decode(samples.frame("35=D|34=5|95=9|96=x|"))
        self.assertFalse(tracker.is_next(data))
        self.assertEqual([tracker.is_next(one) for one in (fifth, told)], [True, False])

    def test_passed(self) -> None:
        """A message that just passes is counted, and has another number only if messages were added before it."""
        tracker = Tracker()
        tracker.is_quiet, tracker.last = True, 4
        self.assertIs(tracker.passed(frame(order(), 5)), PASS_ON)
        tracker.shift = 3
        verdict: Any = tracker.passed(frame(order(), 6))
        self.assertEqual((tracker.last, [one[34] for one in verdict.forward]), (6, [b"9"]))

    def test_number_in(self) -> None:
        """Garbled messages, data before the number, and messages that name numbers are left to a closer look."""
        good = frame(order(), 5).frame
        unlike = [good[:-4] + b"000\x01", good[:15], frame(Logon({}), 5).frame, frame(order(), "x").frame]
        unlike += [written([(8, b"FIX.4.4"), *more]) for more in ([(34, b"5"), (55, b"x")], [(35, b"D"), (49, b"ANN")])]
        unlike += [written([(8, b"FIX.4.4"), (35, b"D"), *[(1, b"abc")] * 20, (34, b"5")])]
        self.assertEqual(number_in(good, 0, len(good)), 5)
        for data in unlike:
            self.assertEqual(number_in(data, 0, len(data)), 0, data)
        header: list[tuple[int, Value]] = [(49, "A"), (213, b"\x0134=7\x01"), (34, 9)]
        data = decode(order().with_header("FIX.4.4", header).frame).data
        self.assertEqual(number_in(data, 0, len(data)), 0)
