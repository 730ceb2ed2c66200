"""Writes server-sent events to a client, which may be slow, or not read at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from .answers import json_of
from .request import GuardedRequest

__all__ = ["MOST_WAITING", "EventWriter", "event"]

MOST_WAITING: Final = 1024 * 1024
"""How many bytes may wait for a client that does not read; then its stream is ended."""

COMMENT: Final = b":\n\n"
"""What is sent from time to time, so that both sides notice when the connection is dead."""


def event(epoch: str, number: int, name: str, data: object) -> bytes:
    """Return an event. Its data is JSON, which has no ends of lines, so nobody can forge events by a name or a text."""
    return f"id: {epoch}-{number}\nevent: {name}\ndata: ".encode() + json_of(data) + b"\n\n"


@implementer(IPushProducer)
class EventWriter:
    """The connection of one stream.

    Args:
        request: the request that is answered with events, and no other answer.
        on_end: called once, when the connection is gone or the stream is ended.
    """

    def __init__(self, request: GuardedRequest, on_end: Callable[[], object]) -> None:
        self._request = request
        self._on_end = on_end
        self._queue: deque[bytes] = deque()
        self._ended = False
        self.waiting: int = 0
        """How many bytes wait here because the client does not read."""
        self.paused: bool = False
        """Whether the client does not read."""
        gone: Any = request.notifyFinish()
        gone.addBoth(lambda result: self._gone())
        request.become_stream()
        request.begin(content_type="text/event-stream", x_accel_buffering="no")
        request.registerProducer(self, True)  # type: ignore[no-untyped-call]

    def write(self, data: bytes) -> None:
        """Send an event, or keep it until the client reads. If too much waits, end the stream."""
        if self._ended:
            return
        if not self.paused:
            self._request.write(data)  # type: ignore[no-untyped-call]
            return
        self._queue.append(data)
        self.waiting += len(data)
        if self.waiting > MOST_WAITING:
            self.end()

    def comment(self) -> None:
        """Send a comment, which clients ignore."""
        if not self.paused:
            self.write(COMMENT)

    def end(self) -> None:
        """End the stream: its client connects again if it wants to."""
        if not self._ended:
            self._request.channel.transport.abortConnection()
            self._gone()

    def _gone(self) -> None:
        if not self._ended:
            self._ended = True
            self._queue.clear()
            self.waiting = 0
            self._on_end()

    # -- IPushProducer --------------------------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        """See `IPushProducer`."""
        self.paused = True

    def resumeProducing(self) -> None:
        """See `IPushProducer`."""
        self.paused = False
        while self._queue and not self.paused:
            data = self._queue.popleft()
            self.waiting -= len(data)
            self._request.write(data)  # type: ignore[no-untyped-call]

    def stopProducing(self) -> None:
        """See `IPushProducer`."""
        self._gone()
