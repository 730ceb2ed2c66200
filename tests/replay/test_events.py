"""The script of a replay: what happened on one leg of the recorded links."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Direction, Side
from twisted_repeater.recording import Origin, RecordedLink, RecordedMessage, open_recording
from twisted_repeater.replay import events as module
from twisted_repeater.replay.events import Ahead, Event, Kind, Script

from ..recordings import write_recording
from .recorded import MemoryRecording

TO_SERVER, TO_CLIENT = Direction.TO_SERVER, Direction.TO_CLIENT


def link(number: int, made: int | None, ended: int | None = None, refused: str | None = None) -> RecordedLink:
    """Return a link."""
    return RecordedLink(id=number, link=number, client_name=f"c{number}", made=made, ended=ended, refused=refused)


def asks(link_id: int, time: int, frame: bytes, **more: Any) -> RecordedMessage:
    """Return a message to the server that passed."""
    return message(link_id, time, TO_SERVER, frame, more)


def answers(link_id: int, time: int, frame: bytes, **more: Any) -> RecordedMessage:
    """Return a message to the client that passed."""
    return message(link_id, time, TO_CLIENT, frame, more)


def message(link_id: int, time: int, direction: Direction, frame: bytes, more: dict[str, Any]) -> RecordedMessage:
    """Return a message of a link."""
    values = {"passed": True} | more
    return RecordedMessage(id=0, link=link_id, time=time, direction=direction, frame=frame, **values)


class ScriptTests(SynchronousTestCase):
    """`Script`."""

    def script(
        self, links: Iterable[RecordedLink], messages: Iterable[RecordedMessage], leg: Side = Side.SERVER
    ) -> list[tuple[Any, ...]]:
        """Return the events of a recording: link, time, and the kind or the bytes, with an arrow."""
        path = self.mktemp()
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_recording(path, messages, links=links)
        with open_recording(path) as recording:
            script = Script(recording, leg)
            self.events: list[Event] = list(script.events())
            self.left_out = script.left_out
        arrows = {Kind.REQUEST: "> ", Kind.ANSWER: "< "}
        return [
            (event.link.id, event.time, arrows.get(event.kind, event.kind.value) + event.data.decode())
            for event in self.events
        ]

    def test_order(self) -> None:
        """Beginnings, messages and ends of all links come in the order in which they happened."""
        messages = [asks(1, 11, b"a"), asks(2, 12, b"b"), answers(1, 13, b"A"), answers(2, 20, b"B")]
        self.assertEqual(
            self.script([link(1, 10, 15), link(2, 12, 30)], messages),
            [
                (1, 10, "begun"),
                (1, 11, "> a"),
                (2, 12, "begun"),
                (2, 12, "> b"),
                (1, 13, "< A"),
                (1, 15, "ended"),
                (2, 20, "< B"),
                (2, 30, "ended"),
            ],
        )

    def test_a_name_that_comes_back(self) -> None:
        """A link ends before the one that begins after it, so that its name is free."""
        script = self.script([link(1, 10, 15), link(2, 16, 20)], [asks(1, 11, b"a"), asks(2, 17, b"b")])
        self.assertEqual([what for *_, what in script], ["begun", "> a", "ended", "begun", "> b", "ended"])

    def test_legs(self) -> None:
        """To the server go the bytes that the repeater sent, from the client come those that it sent."""
        messages = [
            asks(1, 1, b"hello", origin=Origin.OPENING, passed=False),
            asks(1, 2, b"", forward=b"HELLO", origin=Origin.OPENING),
            answers(1, 3, b"welcome", origin=Origin.OPENING),
            asks(1, 4, b"refused", passed=False, back=b"no"),
            asks(1, 5, b"changed", passed=False, forward=b"CHANGED"),
            answers(1, 6, b"ask", back=b"own reply", passed=False),
            asks(1, 7, b"", forward=b"own", origin=Origin.OWN),
            answers(1, 8, b"last", forward=b"+more"),
        ]
        links = [link(1, 1, 9)]
        server = ["begun", "> HELLO", "< welcome", "> CHANGED", "< ask", "> own reply", "> own", "< last", "ended"]
        client = ["begun", "> hello", "< welcome", "> refused", "< no", "> changed", "< last+more", "ended"]
        self.assertEqual([what for *_, what in self.script(links, messages)], server)
        self.assertEqual([what for *_, what in self.script(links, messages, Side.CLIENT)], client)

    def test_late_verdicts(self) -> None:
        """A message that waited for its verdict went out when that came; times never go back."""
        messages = [asks(1, 20, b"b"), asks(1, 10, b"a", took=15), asks(1, 12, b"c")]
        script = self.script([link(1, 1, 24)], messages)
        self.assertEqual(script[1:], [(1, 20, "> b"), (1, 25, "> a"), (1, 25, "> c"), (1, 25, "ended")])

    def test_refused(self) -> None:
        """A refused client has events if something went over this leg, and is counted if not."""
        links = [link(1, None, 5, "full"), link(2, None, 9, "wrong name")]
        messages = [answers(1, 4, b"", forward=b"full"), asks(2, 7, b"", forward=b"hi"), answers(2, 8, b"who?")]
        self.assertEqual(
            self.script(links, messages), [(2, 7, "begun"), (2, 7, "> hi"), (2, 8, "< who?"), (2, 9, "ended")]
        )
        self.assertEqual(self.left_out, 1)

    def test_unfinished(self) -> None:
        """Links that have not ended, end with the recording."""
        self.assertEqual(
            self.script([link(1, 10), link(2, 11)], [asks(1, 12, b"a")])[2:],
            [(1, 12, "> a"), (1, 12, "ended"), (2, 12, "ended")],
        )

    def test_links_after_all_messages(self) -> None:
        """Links without messages after the last message are there, too."""
        script = self.script([link(1, 10, 20), link(2, 30, 40)], [asks(1, 12, b"a")])
        self.assertEqual(script[2:], [(1, 20, "ended"), (2, 30, "begun"), (2, 40, "ended")])

    def test_missing_messages(self) -> None:
        """Events know how many messages before them are not in the recording."""
        messages = [asks(1, 1, b"c", number=3), answers(1, 2, b"A", number=1), asks(1, 3, b"f", number=6)]
        self.script([link(1, 0, 9)], messages)
        self.assertEqual([event.missing for event in self.events], [0, 2, 0, 2, 0])

    def test_damaged(self) -> None:
        """A message without its link belongs to one without a name, and one after the end of its link to none."""
        messages = [asks(1, 5, b"a"), asks(2, 9, b"b"), asks(1, 10, b"late")]
        path = self.mktemp()
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_recording(path, messages, links=[link(1, 1, 6)])
        with open_recording(path) as recording:
            self.patch(recording, "links", lambda: iter([link(1, 1, 6)]))
            got = [(event.link.client_name, event.kind) for event in Script(recording, Side.SERVER).events()]
        self.assertEqual(
            got,
            [
                ("c1", Kind.BEGUN),
                ("c1", Kind.REQUEST),
                ("", Kind.BEGUN),
                ("c1", Kind.ENDED),
                ("", Kind.REQUEST),
                ("", Kind.ENDED),
            ],
        )

    def test_chosen_links(self) -> None:
        """Only links that were chosen have events, and each message that was read is told of."""
        path = self.mktemp()
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_recording(path, [asks(1, 5, b"a"), asks(2, 9, b"b")], links=[link(1, 1, 6), link(2, 2, 10)])
        read: list[None] = []
        with open_recording(path) as recording:
            script = Script(
                recording,
                Side.SERVER,
                chosen=lambda link: link.client_name == "c2",
                read=lambda: read.append(None),
            )
            self.assertEqual([event.data for event in script.events()], [b"", b"b", b""])
        self.assertEqual(len(read), 2)


class AheadTests(SynchronousTestCase):
    """Promises about events that are looked at before their turn."""

    def test_order(self) -> None:
        """Each event has its turn once, and is looked at once before it, if at all."""
        events = [Event(Kind.REQUEST, link(1, 0), time, b"abc") for time in range(6)]
        ahead = Ahead(events)
        turns = iter(ahead)
        self.assertEqual([], list(Ahead([]).more()))
        self.assertEqual(events[0], next(turns))
        looked = ahead.more()
        self.assertEqual(events[1:3], [next(looked), next(looked)])
        self.assertEqual(events[1], next(turns))
        self.assertEqual(events[3:], list(ahead.more()))
        self.assertEqual([], list(ahead.more()))
        self.assertEqual(events[2:], list(turns))

    def test_limits(self) -> None:
        """Only so many events, and so many bytes, are looked at."""
        for name, most in (("MOST_AHEAD", 2), ("MOST_BYTES_AHEAD", 5)):
            self.patch(module, name, most)
            ahead = Ahead(Event(Kind.REQUEST, link(1, 0), time, b"abc") for time in range(6))
            self.assertEqual(2, len(list(ahead.more())))
            self.assertEqual(6, len(list(ahead)))

    def test_damage(self) -> None:
        """A script says whether its recording is damaged."""
        recording = MemoryRecording("lines")
        self.assertFalse(Script(recording.as_recording(), Side.SERVER).damaged)
        recording.damaged = True
        self.assertTrue(Script(recording.as_recording(), Side.SERVER).damaged)
