"""What happened in a recording, as one sequence."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.recording import RecordedGap, RecordedLink, RecordedMessage, open_recording
from twisted_repeater.recording.export import Choice, timeline
from twisted_repeater.recording.export.timeline import Event, LinkEnded, LinkMade, MessagePassed

from ...recordings import write_recording
from .made import SECOND, START, made_link, made_message


def told(event: Event) -> str:
    """Return an event as a short text."""
    if isinstance(event, MessagePassed):
        return f"message {event.message.id} of {event.link.client_name}"
    if isinstance(event, LinkMade):
        return f"{event.link.client_name} begins"
    if isinstance(event, LinkEnded):
        return f"{event.link.client_name} ends"
    return f"{event.left_out} left out"


class TimelineTests(SynchronousTestCase):
    """The order of events."""

    def setUp(self) -> None:
        """Choose a file."""
        self.path = Path(self.mktemp())

    def write(
        self, messages: Iterable[RecordedMessage], links: Iterable[RecordedLink], gaps: Iterable[RecordedGap] = ()
    ) -> None:
        """Write a recording."""
        write_recording(self.path, messages, links=links, gaps=gaps)

    def events(self, **choice: object) -> list[str]:
        """Return the events of the recording."""
        with open_recording(self.path) as recording:
            return [told(event) for event in timeline(recording, Choice(**choice))]  # type: ignore[arg-type]

    def test_order(self) -> None:
        """A link begins before its messages, and ends after them and before later messages of others."""
        self.write(
            [
                made_message(1),
                made_message(2, after=1, link=2),
                made_message(3, after=2),
                made_message(4, after=3, link=2),
            ],
            [made_link(1, ended=START + 2 * SECOND), made_link(2), made_link(3, ended=START + 9 * SECOND)],
        )
        self.assertEqual(
            self.events(),
            [
                "client-1 begins",
                "message 1 of client-1",
                "client-2 begins",
                "message 2 of client-2",
                "message 3 of client-1",
                "client-1 ends",
                "message 4 of client-2",
                "client-3 begins",
                "client-3 ends",
            ],
        )

    def test_held_message(self) -> None:
        """A message whose verdict took long stands where the verdict was carried out, before the end of its link."""
        self.write(
            [
                made_message(1, after=5, link=2),
                made_message(2, after=1, took=8 * SECOND),
                made_message(3, after=10, link=2),
            ],
            [made_link(1, ended=START + 9 * SECOND), made_link(2)],
        )
        self.assertEqual(self.events()[-3:], ["message 2 of client-1", "client-1 ends", "message 3 of client-2"])

    def test_choice_of_links(self) -> None:
        """Links that are not wanted do not appear, nor do their messages."""
        self.write(
            [made_message(1), made_message(2, link=2), made_message(3, after=5)],
            [made_link(1), made_link(2, ended=START + SECOND), made_link(3)],
        )
        own = ["client-2 begins", "message 2 of client-2", "client-2 ends"]
        self.assertEqual(self.events(clients=["client-2"]), own)
        self.assertEqual(self.events(links=[2]), own)
        self.assertEqual(self.events(links=[2, 3]), [*own, "client-3 begins"])

    def test_choice_of_times(self) -> None:
        """Links that had ended, or were made later, do not appear; nor do ends, messages and gaps at other times."""
        self.write(
            [made_message(1), made_message(2, link=2, after=3), made_message(3, after=8, link=2)],
            [
                made_link(1, ended=START + SECOND),
                made_link(2, ended=START + 9 * SECOND),
                made_link(3, made=START + 8 * SECOND),
            ],
            [RecordedGap(after=after, began=began, ended=began, left_out=after, reason="x") for after, began in GAPS],
        )
        self.assertEqual(
            self.events(since=START + 2 * SECOND, until=START + 4 * SECOND),
            ["client-2 begins", "1 left out", "message 2 of client-2"],
        )

    def test_gaps(self) -> None:
        """A gap comes after the message that was the last before it."""
        gap = RecordedGap(after=1, began=START, ended=START, left_out=7, reason="the disk is full")
        self.write([made_message(1), made_message(2)], [made_link()], [gap])
        self.assertEqual(self.events()[1:], ["message 1 of client-1", "7 left out", "message 2 of client-1"])

    def test_lost_link(self) -> None:
        """The messages of a link whose row a damaged file has lost are there, but none of them if others are wanted."""
        self.write([made_message(1), made_message(2, link=7)], [made_link(1)])
        self.assertEqual(self.events()[-1], "message 2 of client-7")

        with sqlite3.connect(self.path) as connection:
            connection.execute("DELETE FROM links WHERE id = 7")
        connection.close()
        self.assertEqual(self.events()[-1], "message 2 of ")
        self.assertEqual(self.events(clients=["client-1"])[-1], "message 1 of client-1")

    def test_only_the_wanted_part_is_read(self) -> None:
        """Of a large recording only what is near to the wanted time is read, and nothing is missing in it."""
        self.patch(sys.modules[LinkMade.__module__], "OUT_OF_ORDER", 2 * SECOND)
        messages = [made_message(number, after=number + (1.5 if number % 5 == 0 else 0)) for number in range(1, 101)]
        self.write(messages, [made_link(1)])
        counted: list[int] = []
        choice = Choice(since=START + 60 * SECOND, until=START + 62 * SECOND)
        with open_recording(self.path) as recording:
            events = list(timeline(recording, choice, counted.append))
        wanted = [each.id for each in messages if choice.has(each.time)]
        self.assertEqual(wanted, [event.message.id for event in events if isinstance(event, MessagePassed)])
        self.assertGreater(counted[0], 55)
        self.assertLess(len(counted), 15)

    def test_growing(self) -> None:
        """What is recorded while the events are read is among them: messages, links, and the ends of open links."""
        self.write([made_message(1)], [made_link(1)])
        counted: list[int] = []

        def grow(count: int) -> None:
            counted.append(count)
            if len(counted) == 2:
                self.write([made_message(2, link=2)], [made_link(2)])
            elif count:
                end_link(self.path, 1, START + SECOND)

        with open_recording(self.path) as recording:
            events = [told(event) for event in timeline(recording, counted=grow)]
        self.assertEqual(counted, [0, 1, 1])
        self.assertEqual(events[2:], ["client-2 begins", "message 2 of client-2", "client-1 ends"])


GAPS = [(1, START + 3 * SECOND), (2, START + 7 * SECOND)]
"""After which message something was left out, and when."""


def end_link(path: Path, number: int, time: int) -> None:
    """Note the end of a link, as a recorder does."""

    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE links SET ended = ? WHERE id = ?", (time, number))
    connection.close()
