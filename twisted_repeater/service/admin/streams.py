"""Streams of events for people who watch a repeater: the messages that they choose, links, errors, held messages.

A stream is attached as long as it has a connection. If it loses that, it stays for some seconds with its rules, and may
be attached again; what happened meanwhile is not kept, so its client reads all lists again (`resync`). Then it is gone.

A repeater is watched only while a stream of it is attached. At most ``max_rate`` messages a second are described and
sent; others cost a comparison of two times, and are counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ..._link.watching import Watch
from ..._repeater import Repeater
from ...watching import Origin, WatchedMessage
from .criteria import Criteria
from .events import event
from .shapes import ShownMessage, Way
from .shapes import Stream as StreamState
from .shown import FULL, LARGEST, Shower

__all__ = ["GRACE", "Sink", "Stream"]

GRACE: Final = 15.0
"""For how many seconds a stream without a connection stays, with its rules and with what they hold."""

INTERVAL: Final = 1.0
"""How many seconds are between two events with counts."""

COMMENTS: Final = 10
"""After how many of them there is a comment."""

PATIENCE: Final = 30
"""For how many of them a client may read nothing at all."""

MOST_KEPT: Final = 1000
MOST_KEPT_BYTES: Final = 4 * 1024 * 1024
"""How many messages of a stream are kept, for those who want to see one in full, and about how many bytes."""

CROWDED: Final = 256 * 1024
"""If so many bytes wait for the client, messages are left out, but no other events."""

MOST_DESCRIBED: Final = 4 * 1024 * 1024
"""How many bytes of messages are decoded to be shown in a second; then others are left out."""

log: Logger = Logger()


class Sink(Protocol):
    """The connection of a stream; `EventWriter` is one."""

    waiting: int
    """How many bytes wait because the client does not read."""
    paused: bool
    """Whether it does not read."""

    def write(self, data: bytes, /) -> None:
        """Send an event."""

    def comment(self) -> None:
        """Send what clients ignore."""

    def end(self) -> None:
        """End the connection."""


class Stream:
    """One stream.

    Args:
        number: its id, which nobody can guess.
        name: the name of the repeater.
        repeater: the repeater.
        shower: shows its messages.
        clock: for counts, and for the time that is left without a connection.
        on_gone: called when the stream is gone for good.
    """

    def __init__(
        self,
        number: str,
        name: str,
        repeater: Repeater,
        shower: Shower,
        clock: IReactorTime,
        on_gone: Callable[[Stream], object],
    ) -> None:
        self.id: str = number
        self.name: str = name
        self.repeater: Repeater = repeater
        self.criteria: Criteria = Criteria()
        self.max_rate: int = 100
        self.paused: bool = False
        self.seen: int = 0
        """How many messages of the chosen clients and direction have passed while it was attached."""
        self.shown: int = 0
        """How many of them were sent to the client."""
        self._looked = 0
        """How many were looked at, and are either shown or not what was asked for."""
        self._shower = shower
        self._clock = clock
        self._on_gone = on_gone
        self._sink: Sink | None = None
        self._watch: Watch | None = None
        self._timer: IDelayedCall | None = None
        self._events = 0
        self._next = 0.0
        """When the next message would be shown if all were shown at equal distances."""
        self._again = 0.0
        """Before this time no message is shown."""
        self._described = 0
        self._ticks = self._stalled = 0
        self._kept: deque[tuple[ShownMessage, WatchedMessage, int]] = deque()
        self._kept_bytes = 0

    @property
    def attached(self) -> bool:
        """Whether it has a connection."""
        return self._sink is not None

    @property
    def state(self) -> StreamState:
        """What it shows now."""
        chosen = self.criteria
        way: Way | None = None if chosen.direction is None else chosen.direction.value
        return StreamState(self.id, self.name, chosen.client, way, chosen.type, chosen.text, self.max_rate, self.paused)

    # -- its connection -------------------------------------------------------------------------------------------

    def attach(self, sink: Sink, *, resumed: bool) -> None:
        """Give it a connection, in place of the one that it has.

        Args:
            sink: the connection.
            resumed: whether the client has missed something.
        """
        if self._sink is not None:
            self._lose_sink().end()
        self._stop_timer()
        self._sink = sink
        self._ticks = self._stalled = 0
        self._begin_to_watch()
        self.send("hello", {"stream": self.id, "epoch": self.id, "repeater": self.name})
        if resumed:
            self.send("resync", {})
        self._timer = self._clock.callLater(INTERVAL, self._tick)

    def detach(self, sink: Sink) -> None:
        """Note that a connection is gone. If it does not come back in time, the stream is gone."""
        if sink is self._sink:
            self._lose_sink()
            self._timer = self._clock.callLater(GRACE, self.end)

    def end(self) -> None:
        """End it for good."""
        self._stop_timer()
        if self._sink is not None:
            self._lose_sink().end()
        self._kept.clear()
        self._on_gone(self)

    def _lose_sink(self) -> Sink:
        sink, self._sink = self._sink, None
        assert sink is not None
        self._stop_timer()
        self._stop_watching()
        return sink

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _tick(self) -> None:
        """Send the counts, and end a connection that nobody reads."""
        self._timer = self._clock.callLater(INTERVAL, self._tick)
        self._described = 0
        self._ticks += 1
        self._stalled = self._stalled + 1 if self._sink is not None and self._sink.paused else 0
        if self._stalled >= PATIENCE and self._sink is not None:
            self._sink.end()  # which detaches it
            return
        left_out = self.seen - self._looked
        self.send("counts", {"seen": self.seen, "shown": self.shown, "left_out": left_out})
        if self._sink is not None and self._ticks % COMMENTS == 0:
            self._sink.comment()

    def send(self, name: str, data: object) -> None:
        """Send an event, if it is attached."""
        if self._sink is not None:
            self._events += 1
            self._sink.write(event(self.id, self._events, name, data))

    # -- what it shows --------------------------------------------------------------------------------------------

    def choose(self, criteria: Criteria, max_rate: int, paused: bool) -> None:
        """Show other messages from now on."""
        is_other = criteria.client != self.criteria.client
        self.criteria, self.max_rate, self.paused = criteria, max_rate, paused
        self._again = inf if paused or not max_rate else 0.0
        self._next = 0.0
        if is_other and self._watch is not None:
            self._begin_to_watch()

    def _begin_to_watch(self) -> None:
        self._stop_watching()
        self._watch = self.repeater.watch(self, links=self.criteria.wants_link)

    def _stop_watching(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()

    def watch_ended(self) -> None:
        """End it if the repeater is shut down. See `ILinkWatcher`."""
        if self._watch is not None:
            self._watch = None
            self._clock.callLater(0, self.end)

    def message_watched(self, message: WatchedMessage) -> None:
        """See `IWatcher`. Most messages are only counted, where many pass."""
        way = self.criteria.direction
        if way is None or message.direction is way:
            self.seen += 1
            if message.time >= self._again:
                self._look(message)

    def _look(self, message: WatchedMessage) -> None:
        """Show a message if it is one that was asked for."""
        sink = self._sink
        size = len(message.frame) + len(message.forward) + len(message.back)
        if sink is None or sink.waiting > CROWDED or self._described > MOST_DESCRIBED:
            return
        if self.criteria.looks_inside and not self._is_wanted(message):
            self._looked += 1
            return
        self._described += size
        shown = self._shower.watched(self.shown + 1, message)
        self._looked += 1
        if shown.redacted and not self._may_show(shown):
            return
        self.shown += 1
        self._keep(shown, message, size)
        self._wait_after(message.time)
        self.send("message", shown)

    def _wait_after(self, time: float) -> None:
        """A message was shown: after a second without any, as many as for a second are shown at once."""
        gap = 1.0 / self.max_rate
        self._next = max(self._next, time) + gap
        self._again = self._next + gap - 1.0 - 1e-9

    def _is_wanted(self, message: WatchedMessage) -> bool:
        data = message.frame or message.forward
        if message.origin is Origin.OPENING or not self.criteria.wants_bytes(data):
            return False
        if self.criteria.type is None:
            return True
        try:
            found = message.message if message.origin is Origin.MESSAGE else self._shower.own_message(message)
            return self.criteria.wants_type(found)
        except KeyboardInterrupt:
            raise
        except BaseException:  # a method of a message of the application
            return False

    def _may_show(self, shown: ShownMessage) -> bool:
        """Return whether the text that was asked for is in what may be seen."""
        values = (field[1] for field in shown.fields or ())
        return self.criteria.wants_shown("\n".join([shown.summary, *values]))

    # -- messages that are kept -------------------------------------------------------------------------------------

    def _keep(self, shown: ShownMessage, message: WatchedMessage, size: int) -> None:
        """Keep a message for `full`. The payload is another copy of the frame."""
        cost = 2 * size + 1000 if size <= LARGEST else 1000
        kept: Any = message if size <= LARGEST else None
        self._kept.append((shown, kept, cost))
        self._kept_bytes += cost
        while len(self._kept) > MOST_KEPT or (self._kept_bytes > MOST_KEPT_BYTES and len(self._kept) > 1):
            self._kept_bytes -= self._kept.popleft()[2]

    def full(self, number: int) -> ShownMessage | None:
        """Return all of a message that was shown, up to 1 MiB; ``None`` if it is not kept any more."""
        for shown, message, _ in self._kept:
            if shown.n == number:
                return shown if message is None else self._shower.watched(number, message, FULL)
        return None
