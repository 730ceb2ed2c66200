"""How messages and links become rows."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.recording.watched import FakeLink, watched
from twisted_repeater import DO_NOTHING, Close, Direction, Send
from twisted_repeater.errors import Replaced
from twisted_repeater.recording.entries import Gap, KnownLink, is_plain, microseconds, plain_values, values_of
from twisted_repeater.watching import Origin


class MessageTests(SynchronousTestCase):
    """Rows of messages."""

    def test_plain(self) -> None:
        """A message that was passed on as it came is plain; any other is not."""
        self.assertTrue(is_plain(watched()))
        for others in (
            {"verdict": DO_NOTHING, "passed": False},
            {"passed": False},
            {"origin": Origin.OPENING},
            {"forward": b"x"},
            {"back": b"x"},
        ):
            self.assertFalse(is_plain(watched(**others)), others)

    def test_values(self) -> None:
        """A row has all values; times are microseconds, and no bytes are NULL."""
        other = watched(2, direction=Direction.TO_CLIENT, by_filter=True)
        self.assertEqual(
            plain_values([(5, watched()), (6, other)]),
            [5, 2_500_000, 0, 1, b"frame", False, 250_000, 6, 3_500_000, 1, 2, b"frame", True, 250_000],
        )
        self.assertEqual(values_of([(5, watched())])[7:], [0, True, None, None, "PASS_ON"])
        own = watched(origin=Origin.OWN, verdict=None, passed=False, forward=b"f", back=b"b")
        self.assertEqual(values_of([(5, own)])[7:], [2, False, b"f", b"b", None])

    def test_verdicts(self) -> None:
        """A verdict has the name that it has in code."""
        for verdict, name in ((DO_NOTHING, "DO_NOTHING"), (Send(b"x"), "Send"), (Close(), "Close")):
            self.assertEqual(values_of([(5, watched(verdict=verdict, origin=Origin.OPENING))])[-1], name)


class LinkTests(SynchronousTestCase):
    """Rows of links."""

    def test_values(self) -> None:
        """A row has the names and the addresses; details that JSON does not know are shown as Python does."""
        link: Any = FakeLink()
        known = KnownLink(link, 3)
        details = '{"user": "b\'ann\'"}'
        self.assertEqual(known.values(), (7, "ann", "127.0.0.1:1", "quotes", "", 3, None, None, None, details))
        link.client_name = "bob\udcff"  # a name that is not UTF-8
        known.end(link, 4, None)
        self.assertEqual(known.end_values(), ("bob\\udcff", 4, None, None))
        self.assertEqual(known.rename("bob\udcff"), ("bob\\udcff",))
        known.end(link, 5, ValueError("gone"))
        self.assertEqual(known.end_values(), ("bob\\udcff", 5, "ValueError: gone", None))

    def test_refused(self) -> None:
        """A client that was refused has the reason, and perhaps no addresses."""
        link: Any = FakeLink()
        link.client_address, link.details = None, 3
        known = KnownLink(link, None)
        known.refuse(link, 4, Replaced("ann"))
        self.assertEqual(known.values()[1:3], ("ann", ""))
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
