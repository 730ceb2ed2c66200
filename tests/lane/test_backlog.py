"""Tests of the backlog: what was received first is looked at first, once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._lane.input import Backlog


class BacklogTests(SynchronousTestCase):
    """Bytes that wait."""

    def test_empty(self) -> None:
        """A new backlog has nothing."""
        backlog = Backlog()
        self.assertFalse(backlog)
        self.assertEqual(backlog.size, 0)

    def test_in_order(self) -> None:
        """What was received first comes out first, as the object that it was."""
        first, second = b"first", b"second"
        backlog = Backlog()
        backlog.add(first)
        backlog.add(second)
        self.assertTrue(backlog)
        self.assertEqual(backlog.size, 11)
        data, at = backlog.take()
        self.assertIs(data, first)
        self.assertEqual((at, backlog.size), (0, 6))
        self.assertEqual(backlog.take(), (second, 0))
        self.assertFalse(backlog)

    def test_put_back(self) -> None:
        """What was looked at in part comes before the rest, uncut, with an offset that holds for it alone."""
        first, second = b"first", b"second"
        backlog = Backlog()
        backlog.add(second)
        backlog.put_back(first, 2)
        self.assertEqual(backlog.size, 9)
        data, at = backlog.take()
        self.assertIs(data, first)
        self.assertEqual((at, backlog.size), (2, 6))
        self.assertEqual(backlog.take(), (second, 0))

    @given(st.lists(st.binary(min_size=1, max_size=9) | st.integers(1, 5)))
    def test_every_byte_once(self, events: list[bytes | int]) -> None:
        """However much is received, and looked at, at a time: every byte comes out once, in order."""
        backlog = Backlog()
        received = seen = b""
        for event in events:
            if isinstance(event, bytes):
                backlog.add(event)
                received += event
            elif backlog:
                data, at = backlog.take()
                seen += data[at : at + event]
                if at + event < len(data):
                    backlog.put_back(data, at + event)
            self.assertEqual(len(seen) + backlog.size, len(received))
        while backlog:
            data, at = backlog.take()
            seen += data[at:]
        self.assertEqual(seen, received)
