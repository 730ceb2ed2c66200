"""Tests of the selector of messages by MsgType."""

from __future__ import annotations

import contextlib
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.fix.of_type import OfType, of_type
from twisted_repeater.selectors import reach_of

from .samples import frame


def chosen(selector: Any, payload: bytes) -> bool:
    """Return what a selector says about a payload inside of other bytes."""
    found: bool = selector.matches(b"35=" + payload + b"\1X\1", 3, 3 + len(payload))
    return found


class OfTypeTests(SynchronousTestCase):
    """Messages that are selected."""

    def test_types(self) -> None:
        """A message is found by its whole type; the others are found by its opposite."""
        selector = of_type(["D", "AB"])
        for kind, found in (("D", True), ("AB", True), ("A", False), ("ABC", False), ("DD", False), ("d", False)):
            payload = frame(f"35={kind}|34=1|35=D|", length="0000009")
            self.assertEqual(chosen(selector, payload), found)
            self.assertEqual(chosen(~selector, payload), not found)
            self.assertEqual(chosen(of_type(["AB", "D"], others=True), payload), not found)

    def test_other_bytes(self) -> None:
        """A message whose third field is not MsgType is always selected, so that decoding finds the error."""
        for payload in (
            b"",
            b"8=FIX",
            b"8=FIX\x019=5",
            b"8=FIX\x019=5\x0134=D\1",
            b"8=FIX\x019=5\x0135=",
            b"\1\x0135:D\1",
        ):
            self.assertTrue(chosen(of_type(["D"]), payload))
            self.assertTrue(chosen(of_type(["D"], others=True), payload))
        self.assertFalse(chosen(of_type(["D"]), b"8=FIX\x019=5\x0135=D1"))

    def test_reach(self) -> None:
        """So many bytes decide that a longer type is told from it."""
        self.assertEqual(reach_of(of_type(["D", "AB"])), 46)
        longest = b"8=" + b"F" * 16 + b"\x019=" + b"0" * 18 + b"\x0135=AB\1"
        self.assertEqual(len(longest), 46)
        self.assertEqual(reach_of(of_type([])), 44)

    def test_repr(self) -> None:
        """It prints as the call that makes it."""
        self.assertEqual(repr(of_type(["D", "AB"])), "of_type(['AB', 'D'])")
        self.assertEqual(repr(~of_type(["D"])), "of_type(['D'], others=True)")

    def test_wrong(self) -> None:
        """Arguments that make no sense, and offsets outside of the data, are refused."""
        wrong: Any
        for wrong, kind in (("D", TypeError), (b"D", TypeError), ([b"D"], TypeError), ([""], ValueError)):
            self.assertRaises(kind, of_type, wrong)
        self.assertRaises(ValueError, of_type(["D"]).matches, b"abc", 2, 9)
        unmade = OfType.__new__(OfType)
        self.assertRaises(AttributeError, unmade.matches, b"abc", 0, 3)
        with contextlib.suppress(AttributeError):  # compiled, it is None already, and hidden
            unmade._types = None
        self.assertRaises(AttributeError, unmade.matches, b"abc", 0, 3)
