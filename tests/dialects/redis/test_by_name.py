"""Tests of the selector of commands by name."""

from __future__ import annotations

import contextlib
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.redis.by_name import ByName, by_name
from twisted_repeater.selectors import reach_of


def chosen(selector: Any, payload: bytes) -> bool:
    """Return what a selector says about a payload inside of other bytes."""
    found: bool = selector.matches(b"*1" + payload + b"ET\r\n", 2, 2 + len(payload))
    return found


class ByNameTests(SynchronousTestCase):
    """Commands that are selected."""

    def test_names(self) -> None:
        """A command is found by its name, in whatever case; the others are found by its opposite."""
        selector = by_name(["get", "GETEX"])
        for payload, found in (
            (b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", True),
            (b"*2\r\n$3\r\ngEt\r\n$1\r\na\r\n", True),
            (b"*2\r\n$5\r\nGETEX\r\n$1\r\na\r\n", True),
            (b"*2\r\n$4\r\nGETE\r\n$1\r\na\r\n", False),
            (b"*2\r\n$3\r\nSET\r\n$1\r\na\r\n", False),
            (b"*2\r\n$3\r\nGEX\r\n$1\r\na\r\n", False),
        ):
            self.assertEqual(chosen(selector, payload), found)
            self.assertEqual(chosen(~selector, payload), not found)
            self.assertEqual(chosen(by_name(["get", "getex"], others=True), payload), not found)

    def test_what_has_no_name_here(self) -> None:
        """Lines, and what is no whole name, are always selected."""
        for payload in (b"SET a b\r\n", b"\r\n", b"", b"*0\r\n", b"*-1\r\n", b"*1\r\n$0\r\n\r\n"[:8]):
            self.assertTrue(chosen(by_name(["GET"]), payload))
            self.assertTrue(chosen(~by_name(["GET"]), payload))
        self.assertFalse(chosen(by_name(["GET"]), b"*1\r\n$3\r\nG"))

    def test_reach(self) -> None:
        """So many bytes decide that a longer name is told from it."""
        self.assertEqual(reach_of(by_name(["GET"])), 46)
        self.assertEqual(reach_of(by_name([])), 44)

    def test_repr(self) -> None:
        """It prints as the call that makes it."""
        self.assertEqual(repr(by_name(["set", "GET"])), "by_name(['GET', 'SET'])")
        self.assertEqual(repr(~by_name(["GET"])), "by_name(['GET'], others=True)")

    def test_wrong(self) -> None:
        """Arguments that make no sense, and offsets outside of the data, are refused."""
        wrong: Any
        for wrong, kind in (("GET", TypeError), (b"GET", TypeError), ([b"GET"], TypeError), ([""], ValueError)):
            self.assertRaises(kind, by_name, wrong)
        self.assertRaises(ValueError, by_name(["GET"]).matches, b"abc", 2, 9)
        unmade = ByName.__new__(ByName)
        self.assertRaises(AttributeError, unmade.matches, b"abc", 0, 3)
        with contextlib.suppress(AttributeError):  # compiled, it is None already, and hidden
            unmade._firsts = None
        self.assertRaises(AttributeError, unmade.matches, b"abc", 0, 3)
