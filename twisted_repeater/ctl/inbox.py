"""Events that a thread reads, while the main thread waits for a person or for the next event."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

from .errors import CtlError
from .events import Event, Events

__all__ = ["Inbox"]

MOST = 1000
"""How many events wait, for example while the terminal is stopped. Then the thread waits, too, and the administration
ends a stream of which more than 1 MiB waits."""


JOINS = 100
"""How often the end waits a hundredth of a second for the thread, which may just try to connect again."""


class Inbox:
    """Reads events in a thread of its own, so that the administration does not wait for a person.

    Args:
        events: what to read. They are ended when the inbox is closed.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self._received: queue.Queue[Event | CtlError] = queue.Queue(MOST)
        self._wakes, self._woken = socket.socketpair()
        self._wakes.setblocking(False)
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Inbox:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._events.end()
        for _ in range(JOINS):
            list(self._taken())  # it may wait for room
            self._thread.join(0.01)
            if not self._thread.is_alive():
                break
        self._wakes.close()
        self._woken.close()

    def fileno(self) -> int:
        """Return a descriptor that can be read when there are events, for `select`."""
        return self._woken.fileno()

    def take(self) -> Iterator[Event]:
        """Return the events that are there.

        Raises:
            CtlError: no more will come.
        """
        self._woken.recv(65536)
        for event in self._taken():
            if isinstance(event, CtlError):
                raise event
            yield event

    def _taken(self) -> Iterator[Event | CtlError]:
        with suppress(queue.Empty):
            while True:
                yield self._received.get_nowait()

    def _read(self) -> None:
        try:
            for event in self._events:
                self._put(event)
        except CtlError as error:
            self._put(error)

    def _put(self, event: Event | CtlError) -> None:
        self._received.put(event)
        with suppress(BlockingIOError, OSError):  # it is full of wake-ups, or closed
            self._wakes.send(b".")
