"""How messages and links become rows."""

from __future__ import annotations

import gc
from collections import deque
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.recording.watched import FakeLink, watched
from twisted_repeater import DO_NOTHING, PASS_ON, Direction, Send
from twisted_repeater.errors import Replaced
from twisted_repeater.recording.entries import (
    COLUMNS,
    PLAIN_COLUMNS,
    Gap,
    KnownLink,
    LinkEnd,
    full,
    microseconds,
    oldest_in,
    row_of,
    size_of,
)
from twisted_repeater.watching import Origin


class MessageTests(SynchronousTestCase):
    """Rows of messages."""

    def test_plain(self) -> None:
        """A message that was passed on as it came has a plain row; any other has the values of all columns."""
        self.assertEqual(len(row_of(5, watched())), len(PLAIN_COLUMNS))
        for others in ({"verdict": DO_NOTHING, "passed": False}, {"passed": False}, {"forward": b"x"}, {"back": b"x"}):
            self.assertEqual(len(row_of(5, watched(**others))), len(COLUMNS), others)

    def test_values(self) -> None:
        """A row has all values; times are microseconds, and no bytes are NULL."""
        other = watched(2, direction=Direction.TO_CLIENT, by_filter=True)
        self.assertEqual(row_of(5, watched()), (5, 2_500_000, 0, 1, b"frame", False, 250_000))
        self.assertEqual(row_of(6, other), (6, 3_500_000, 1, 2, b"frame", True, 250_000))
        own = watched(origin=Origin.OWN, verdict=None, passed=False, forward=b"f", back=b"b")
        self.assertEqual(row_of(5, own)[7:], (2, False, b"f", b"b", None))

    def test_full(self) -> None:
        """A plain row gets the defaults of the other columns; another one stays as it is."""
        plain, other = row_of(5, watched()), row_of(5, watched(back=b"x"))
        self.assertEqual(full(plain), (*plain, 0, True, None, None, "PASS_ON"))
        self.assertIs(full(other), other)

    def test_size(self) -> None:
        """The size is that of all bytes that were received and sent."""
        self.assertEqual(size_of(row_of(5, watched(frame=b"abc"))), 3)
        self.assertEqual(size_of(row_of(5, watched(frame=b"abc", back=b"x"))), 4)
        self.assertEqual(size_of(row_of(5, watched(frame=b"abc", forward=b"xy", back=b"x"))), 6)

    def test_the_garbage_collector(self) -> None:
        """Python's garbage collector does not look at rows again, however many wait."""
        rows = [row_of(5, watched()), row_of(5, watched(back=b"x"))]
        gc.collect()
        self.assertEqual([gc.is_tracked(row) for row in rows], [False, False])

    def test_verdicts(self) -> None:
        """A verdict has the name that it has in code."""
        for verdict, name in ((DO_NOTHING, "DO_NOTHING"), (Send(b"x"), "Send"), (PASS_ON, "PASS_ON")):
            self.assertEqual(row_of(5, watched(verdict=verdict, passed=False))[-1], name)

    def test_oldest(self) -> None:
        """The age of a queue is that of its first message, if not too much else is before it."""
        gap, row = Gap(1, "slow"), row_of(5, watched(time=3.0))
        for entries, oldest in (([], None), ([gap], None), ([gap, row, gap], 3.0), ([gap] * 10 + [row], None)):
            queue: deque[Any] = deque(entries)
            self.assertEqual(oldest_in(queue), oldest)


class LinkTests(SynchronousTestCase):
    """Rows of links."""

    def test_values(self) -> None:
        """A row has the names and the addresses; details that JSON does not know are shown as Python does."""
        link: Any = FakeLink()
        known = KnownLink(9, link)
        known.made = 3
        details = '{"user": "b\'ann\'"}'
        self.assertEqual(known.values(), (9, 7, "ann", "127.0.0.1:1", "quotes", "", 3, None, None, None, details))
        link.client_name = "bob\udcff"  # a name that is not UTF-8
        known.end(4, None)
        self.assertEqual(known.end_values(), ("bob\\udcff", 4, None, None))
        known.end(5, ValueError("gone"))
        self.assertEqual(known.end_values(), ("bob\\udcff", 5, "ValueError: gone", None))

    def test_renamed(self) -> None:
        """It is told once that the client has another name."""
        link: Any = FakeLink()
        known = KnownLink(9, link)
        self.assertIs(LinkEnd(known).link, known)
        self.assertFalse(known.renamed())
        link.client_name = "bob"
        self.assertEqual([known.renamed(), known.renamed(), known.name], [True, False, "bob"])

    def test_refused(self) -> None:
        """A client that was refused has the reason, and perhaps no addresses."""
        link: Any = FakeLink()
        link.client_address, link.details = None, 3
        known = KnownLink(9, link)
        known.refuse(4, Replaced("ann"))
        self.assertEqual(known.values()[2:4], ("ann", ""))
        self.assertEqual(known.values()[-1], "{}")
        self.assertIn("Replaced", str(known.refused))


class GapTests(SynchronousTestCase):
    """Messages that are left out."""

    def test_gap(self) -> None:
        """A gap lasts until its last message."""
        gap = Gap(microseconds(2.0), "slow")
        gap.add(3_000_000)
        gap.add(2_500_000, 4)
        self.assertEqual((gap.began, gap.ended, gap.left_out), (2_000_000, 3_000_000, 5))
