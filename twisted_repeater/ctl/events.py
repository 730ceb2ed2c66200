"""What happens at a repeater, as the administration tells it: a stream of server-sent events.

A stream ends if its reader is too slow, or if the process ends. `Events` connects again and asks for the same stream,
so that its rules stay. If the administration is gone for as long as it would keep the rules, `Events` gives up.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from http.client import HTTPException
from typing import NamedTuple

from .administration import Administration, Answer, Query
from .errors import Refused, Unreachable, Unusable

__all__ = ["Event", "Events", "events_of"]

LONGEST_LINE = 8 * 1024 * 1024
"""Bytes of an event. The administration ends a stream of which more than 1 MiB waits."""

GIVES_UP = 15.0
"""Seconds after which rules of a lost stream are gone."""

PAUSE = 0.5
"""Seconds between two attempts to connect again."""


class Event(NamedTuple):
    """Something that happened."""

    kind: str
    data: Answer


def events_of(lines: Iterable[bytes]) -> Iterator[Event]:
    """Return the events of a stream. An event that is cut off at its end is left out."""
    kind, data = "message", b""
    for line in lines:
        line = line.rstrip(b"\r\n")
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            kind = value.decode("utf-8", "replace")
        elif field == b"data":
            data += value
        elif not line and data:
            yield Event(kind, _read(data))
            kind, data = "message", b""


def _read(data: bytes) -> Answer:
    try:
        answer = json.loads(data, object_hook=Answer)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, Answer):
        raise Unusable("an event of the stream is not a JSON object")
    return answer


class Events:
    """The events of a repeater, for as long as the administration answers. Iterate over it.

    Args:
        administration: whom to ask.
        path: the path of the stream.
        query: which messages to show.
        sleep: waits so many seconds.
    """

    def __init__(
        self, administration: Administration, *path: str, query: Query, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.stream: str | None = None
        """The name of the stream, when it has begun."""
        self._administration = administration
        self._path = path
        self._query = query
        self._sleep = sleep
        self._socket: socket.socket | None = None
        self._ended = False

    def end(self) -> None:
        """End the stream; another thread that waits for an event notices that."""
        self._ended = True
        if self._socket is not None:
            with suppress(OSError):  # it may be closed already
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # that of a TLS socket would first forget TLS

    def __iter__(self) -> Iterator[Event]:
        left = GIVES_UP
        while not self._ended:
            try:
                for event in self._connected():
                    left = GIVES_UP
                    yield event
            except (Refused, Unreachable):
                if self.stream is None or left <= 0:
                    raise
                left -= PAUSE
            if not self._ended:
                self._sleep(PAUSE)

    def _connected(self) -> Iterator[Event]:
        """Return the events until the connection is lost."""
        query = self._query | {"stream": self.stream}
        with self._administration.stream(*self._path, query=query) as (self._socket, response):
            if self._ended:  # while it was connecting
                return
            lines = iter(lambda: response.readline(LONGEST_LINE), b"")
            try:
                for event in events_of(lines):
                    if event.kind == "hello":
                        self.stream = event.data["stream"]
                    yield event
            except (OSError, HTTPException):
                return
