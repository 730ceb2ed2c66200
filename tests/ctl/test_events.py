"""The stream of events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.ctl.address import address_of
from twisted_repeater.ctl.administration import TIMEOUT, Administration, Answer
from twisted_repeater.ctl.errors import Refused, Unusable
from twisted_repeater.ctl.events import Event, Events, events_of

from .stand_in import CtlCase, Raw, Request, Stream, event


class ParserTests(SynchronousTestCase):
    """`events_of`."""

    def read(self, text: bytes) -> list[tuple[str, Answer]]:
        """Return the events of a text."""
        return [(it.kind, it.data) for it in events_of(text.splitlines(keepends=True))]

    def test_events(self) -> None:
        """Comments, ids, unknown fields and empty lines are not events, and data may be in several lines."""
        text = b': hello\n\nid: 1-2\nevent: held\ndata: {"id":\ndata:  "a"}\nother\n\r\ndata:{}\n\n'
        self.assertEqual(self.read(text), [("held", {"id": "a"}), ("message", {})])

    def test_cut(self) -> None:
        """An event that is cut off is left out."""
        self.assertEqual(self.read(event("a") + b'event: b\ndata: {"c"'), [("a", {})])

    def test_not_json(self) -> None:
        """Data that is not an object is an error of whoever sent it."""
        for data in (b"[]", b"{", b"[" * 100_000):
            self.assertRaises(Unusable, self.read, b"data: " + data + b"\n\n")

    @given(st.lists(st.tuples(st.text(st.characters(codec="ascii", categories=["L"]), min_size=1), st.text())))
    def test_any_text(self, things: list[tuple[str, str]]) -> None:
        """Whatever text is in the data of an event, it is read as it was."""
        text = b"".join(event(kind, text=text) for kind, text in things)
        self.assertEqual([(kind, data["text"]) for kind, data in self.read(text)], things)


class EventsTests(CtlCase):
    """`Events`."""

    def setUp(self) -> None:
        """Answer with the streams of a list, one after the other."""
        super().setUp()
        self.streams: list[object] = []
        self.slept: list[float] = []
        self.answer(**{"GET /stream": self.next_stream})
        self.events = Events(self.administration, "stream", query={"client": "a"}, sleep=self.slept.append)

    def next_stream(self, request: Request) -> object:
        """Return the next stream; if none is left, the process has gone."""
        return self.streams.pop(0) if self.streams else Raw(503, b'{"error": "no more"}')

    def test_connects_again(self) -> None:
        """When the connection is lost it asks for the same stream, and gives up after as long as rules are kept."""
        self.streams = [
            Stream(event("hello", stream="s1") + event("counts"), stays=False),
            Raw(500, b""),
            Stream(event("hello", stream="s1"), stays=False),
        ]
        seen: list[Event] = []
        with self.assertRaises(Refused) as caught:
            seen.extend(self.events)
        self.assertEqual(str(caught.exception), "no more")
        self.assertEqual([it.kind for it in seen], ["hello", "counts", "hello"])
        self.assertEqual([it.query.get("stream") for it in self.server.requests][:4], [None, "s1", "s1", "s1"])
        self.assertEqual(self.events.stream, "s1")
        self.assertEqual(len(self.slept), 1 + 1 + 1 + 30)

    def test_silence(self) -> None:
        """A stream that is silent for too long is lost: the administration writes a comment now and then."""
        self.streams = [Stream(event("hello", stream="s1")), Stream(event("hello", stream="s1"))]
        events = Events(Administration(address_of(self.url)), "stream", query={}, sleep=self.slept.append)
        for _ in events:
            assert events._socket is not None
            self.assertEqual(events._socket.gettimeout(), TIMEOUT)
            events._socket.settimeout(0.01)
            if self.slept:
                events.end()
        self.assertEqual(len(self.server.requests), 2)

    def test_refused(self) -> None:
        """If it never began, it does not try again."""
        with self.assertRaises(Refused):
            next(iter(self.events))
        self.assertEqual(self.slept, [])

    def test_end(self) -> None:
        """When it is ended, no event follows, and it does not connect again."""
        self.events.end()
        self.streams = [Stream(event("hello", stream="s1"))]
        self.events = Events(self.administration, "stream", query={})
        for _ in self.events:
            self.events.end()
        self.events.end()
        self.assertEqual(len(self.server.requests), 1)

    def test_ended_while_connecting(self) -> None:
        """If it is ended while it connects, no event comes."""

        def ends(request: Request) -> object:
            self.events.end()
            return Stream(event("hello", stream="s1"))

        self.answer(**{"GET /stream": ends})
        self.assertEqual(list(self.events), [])
        self.assertEqual(self.slept, [])
