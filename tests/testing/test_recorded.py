"""Test cases that are made of a recording."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, PASS_ON, Direction, Link, Verdict, dialects
from twisted_repeater.filters import RateLimit
from twisted_repeater.recording import RecordedLink, RecordedMessage, RecordingError
from twisted_repeater.testing import recorded_links

from ..recordings import write_recording

BEGAN = 1_700_000_000_000_000
"""When the recordings of these tests began, in microseconds since 1970."""


def no_init(message: bytes, link: Link) -> Verdict:
    """The filter of the recordings."""
    return DROP if b"INIT" in message else PASS_ON


def sent(number: int, line: bytes, *, link: int = 1, passed: bool = True) -> RecordedMessage:
    """Return a line that a client has sent, one each tenth of a second."""
    return RecordedMessage(
        id=0,
        link=link,
        time=BEGAN + number * 100_000,
        direction=Direction.TO_SERVER,
        number=number,
        frame=line,
        passed=passed,
        verdict="PASS_ON" if passed else "DO_NOTHING",
        by_filter=True,
    )


class RecordedLinksTests(SynchronousTestCase):
    """`recorded_links`."""

    def setUp(self) -> None:
        """Write a recording of two links and a client that was refused."""
        self.path = Path(self.mktemp())
        links = [
            RecordedLink(id=1, link=11, client_name="ann", made=BEGAN),
            RecordedLink(id=2, link=12, client_name="mallory", refused="not allowed"),
            RecordedLink(id=3, link=13, client_name="bob", made=BEGAN),
        ]
        messages = [
            sent(1, b"price ACME\n"),
            sent(1, b"INIT\n", link=3, passed=False),
            sent(2, b"price INIT\n", passed=False),
            sent(2, b"price ACME\n", link=3),
        ]
        write_recording(self.path, messages, links=links, facts={"dialect": "lines"})

    def test_links(self) -> None:
        """Each link that was made is a case, with a name that tells which; a pattern chooses by clients' names."""
        self.assertEqual([str(link) for link in recorded_links(self.path)], ["ann-1", "bob-3"])
        (bob,) = recorded_links(self.path, clients="b*")
        self.assertEqual((repr(bob), bob.link.link), ("bob-3", 13))

    def test_nothing_to_test(self) -> None:
        """A recording without such a link is an error, since no test at all would pass."""
        self.assertRaisesRegex(ValueError, "like 'carol'", recorded_links, self.path, clients="carol")

    def test_not_a_recording(self) -> None:
        """Another file is an error."""
        self.path.write_text("no recording")
        self.assertRaises(RecordingError, recorded_links, self.path)

    def test_check(self) -> None:
        """The filters that were recorded pass; others fail, with the first differences of this link only."""
        ann, bob = recorded_links(self.path)
        for link in (ann, bob):
            link.check(to_server_filter=no_init)
        error = self.assertRaises(AssertionError, bob.check, to_server_filter=lambda message, link: PASS_ON)
        told = str(error)
        self.assertIn("client 'bob' of ", told)
        self.assertIn("1 difference.", told)
        self.assertIn("INIT", told)

    def test_options(self) -> None:
        """You may give a dialect, a clock of the recorded time, and what else `Repeater.start` takes."""
        (ann,) = recorded_links(self.path, clients="ann")
        clock = Clock()
        limit = RateLimit(rate=1000, clock=clock)
        seen: list[object] = []

        def filter_of_state(message: bytes, link: Link) -> Verdict:
            seen.append((message, link.state, clock.seconds()))
            return no_init(message, link)

        report = ann.replay(
            dialect=dialects.lines(),
            clock=clock,
            to_server_filter=filter_of_state,
            to_client_filter=limit,
            on_connect=lambda link: "state",
        )
        self.assertTrue(report.same)
        self.assertEqual(
            seen, [(b"price ACME", "state", BEGAN / 1e6 + 0.1), (b"price INIT", "state", BEGAN / 1e6 + 0.2)]
        )
