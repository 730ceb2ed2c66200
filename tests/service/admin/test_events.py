"""Events on a connection whose client may not read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater.service.admin.events import MOST_WAITING, EventWriter, event

from .debugged import events_in


class Asked:
    """A request."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.aborted = 0
        self.finished: Deferred[None] = Deferred()
        self.headers: dict[str, str] = {}
        self.channel = SimpleNamespace(transport=SimpleNamespace(abortConnection=self.abort))
        self.pauses_at = 1000

    def abort(self) -> None:
        """Count that."""
        self.aborted += 1

    def notifyFinish(self) -> Deferred[None]:
        """See `Request`."""
        return self.finished

    def become_stream(self) -> None:
        """See `GuardedRequest`."""

    def begin(self, **headers: str) -> None:
        """See `GuardedRequest`."""
        self.headers = headers

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """See `Request`."""
        assert streaming
        self.producer: Any = producer

    def write(self, data: bytes) -> None:
        """See `Request`."""
        self.written.append(data)
        if len(self.written) == self.pauses_at:
            self.producer.pauseProducing()


class EventTests(SynchronousTestCase):
    """Events."""

    def setUp(self) -> None:
        self.request = Asked()
        request: Any = self.request
        self.ended: list[object] = []
        self.writer = EventWriter(request, lambda: self.ended.append(1))

    def test_form(self) -> None:
        """The data of an event are on one line, so that no text of a stranger can end it or begin another."""
        data = {"client": "ann\r\n\r\nevent: held\ndata: {}\u2028", "other": "caf\udce9"}
        self.assertEqual(events_in(event("ab", 7, "message", data)), [("message", data)])
        self.assertEqual(event("ab", 7, "message", {}), b"id: ab-7\nevent: message\ndata: {}\n\n")

    def test_head(self) -> None:
        """Nobody on the way may keep events back."""
        self.assertEqual(self.request.headers, {"content_type": "text/event-stream", "x_accel_buffering": "no"})
        verifyObject(IPushProducer, self.writer)

    def test_order(self) -> None:
        """While the client does not read, events wait; then they are sent in order, as long as it reads."""
        self.writer.write(b"1")
        self.writer.pauseProducing()
        for data in (b"2", b"3", b"4"):
            self.writer.write(data)
        self.writer.comment()
        self.assertEqual((self.request.written, self.writer.waiting, self.writer.paused), ([b"1"], 3, True))
        self.request.pauses_at = 3
        self.writer.resumeProducing()
        self.assertEqual((self.request.written, self.writer.waiting), ([b"1", b"2", b"3"], 1))
        self.writer.resumeProducing()
        self.writer.comment()
        self.assertEqual(self.request.written[3:], [b"4", b":\n\n"])

    def test_not_read(self) -> None:
        """If a megabyte waits, the connection is cut off, once."""
        self.writer.pauseProducing()
        self.writer.write(bytes(MOST_WAITING))
        self.assertEqual((self.request.aborted, self.ended), (0, []))
        self.writer.write(b"x")
        self.assertEqual((self.request.aborted, self.ended, self.writer.waiting), (1, [1], 0))
        self.writer.end()
        self.writer.write(b"x")
        self.request.finished.errback(Failure(ConnectionError()))
        self.assertEqual((self.request.aborted, self.ended, self.request.written), (1, [1], []))

    def test_gone(self) -> None:
        """When the connection is gone, that is noticed once."""
        self.request.finished.callback(None)
        self.writer.stopProducing()
        self.assertEqual(self.ended, [1])
