"""`Debugger`: the streams of the process, the rules of its repeaters, and what they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from secrets import token_hex
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..._repeater import Repeater
from ..._slices import in_slices
from ..._text import printable, told
from ...errors import ConnectingError
from ...link import Link
from ...model import Direction, Side
from .answers import ApiError, json_of
from .criteria import Criteria
from .editing import Editor
from .escaped import clean
from .held import HeldItem, HeldMessages
from .links import link_state
from .routes import Context
from .rules import Rules
from .shapes import Held
from .shown import FULL, IN_STREAM, Shower
from .streams import Stream
from .subject import AdministeredRepeater
from .wire import Wire

__all__ = ["MOST_STREAMS", "Debugged", "Debugger"]

MOST_STREAMS: Final = 8
"""How many streams may have a connection, and how many may wait for theirs to come back."""


class Debugged:
    """What the debugger has for one repeater. It hears of links and errors, and tells the streams.

    Args:
        administered: the repeater.
        debugger: all that belongs to the process.
    """

    def __init__(self, administered: AdministeredRepeater, debugger: Debugger) -> None:
        self.administered: AdministeredRepeater = administered
        self.repeater: Repeater = administered.repeater
        wire = Wire(administered.dialect, administered.repeater.limits)
        self.shower: Shower = Shower(administered.name, wire)
        self.editor: Editor = Editor(wire)
        self.rules: Rules = Rules(
            administered.repeater, administered.name, self.shower, debugger.held, debugger.rule_numbers
        )
        self._tell: Callable[[str, str, object], None] = debugger.tell
        administered.errors.listeners.append(self)

    def stop(self) -> None:
        """Hear nothing more, and hold nothing more."""
        if self in self.administered.errors.listeners:
            self.administered.errors.listeners.remove(self)
        self.rules.remove_of(None)

    def _event(self, name: str, data: object) -> None:
        self._tell(self.administered.name, name, data)

    # -- as an observer is told ---------------------------------------------------------------------------------

    def link_made(self, link: Link) -> None:
        """See `IObserver`."""
        self._event("link_made", link_state(self.administered, link))

    def link_refused(self, client_name: str | None, error: ConnectingError) -> None:
        """See `IObserver`."""
        client = None if client_name is None else clean(client_name)
        self._event("link_refused", {"client": client, "error": _text(error)})

    def link_ended(self, link: Link, reason: BaseException | None) -> None:
        """See `IObserver`."""
        why = None if reason is None else _text(reason)
        self._event("link_ended", {"link": link.id, "client": clean(link.client_name), "reason": why})

    def link_error(self, link: Link, side: Side, error: Exception) -> None:
        """See `IObserver`."""
        newest = self.administered.errors.newest_first[0]
        self._event("error", dict(zip(newest._fields, newest, strict=True)))

    def relayed(self, link: Link, direction: Direction, messages: int, size: int) -> None:
        """See `IObserver`."""


def _text(error: BaseException) -> str:
    return clean(printable(told(error)))[:300]


class Debugger:
    """What all repeaters of the process share.

    Args:
        context: that of the administration. The debugger ends with it.
    """

    def __init__(self, context: Context) -> None:
        self.clock: IReactorTime = clock_of(context.reactor)
        self.held: HeldMessages = HeldMessages(self.clock, self._was_held, self._was_settled)
        self.rule_numbers: Callable[[], int] = count(1).__next__
        self.closed: bool = False
        """Whether nothing is held any more."""
        self._untold: set[int] = set()
        """The held messages that the streams will be told of."""
        self._streams: dict[str, Stream] = {}
        self._debugged: dict[str, Debugged] = {}
        context.held = lambda repeater: len(self.held.of(repeater))
        context.release_held = self.release
        context.at_end.append(self.end)

    def of(self, administered: AdministeredRepeater) -> Debugged:
        """Return what belongs to a repeater. If another one had its name before, that is forgotten."""
        found = self._debugged.get(administered.name)
        if found is not None and found.repeater is administered.repeater:
            return found
        if found is not None:
            found.stop()
        made = self._debugged[administered.name] = Debugged(administered, self)
        return made

    # -- streams --------------------------------------------------------------------------------------------------

    def stream(self, number: str) -> Stream:
        """Return a stream; raise `ApiError` if there is none."""
        found = self._streams.get(number)
        if found is None:
            raise ApiError(404, f"there is no stream {number!a}; it may have ended")
        return found

    def open(self, administered: AdministeredRepeater, old: str | None) -> tuple[Stream, bool]:
        """Return the stream that a client comes back to, or a new one, and whether it is an old one.

        Raises:
            ApiError: there are too many.
        """
        found = None if old is None else self._streams.get(old)
        if found is not None and found.repeater is not administered.repeater:
            found = None
        attached = sum(stream.attached for stream in self._streams.values())
        if attached >= MOST_STREAMS and (found is None or not found.attached):
            raise ApiError(503, f"{MOST_STREAMS} streams are open, and there may be no more; close a page")
        if found is not None:
            return found, True
        waiting = [stream for stream in self._streams.values() if not stream.attached]
        if len(waiting) >= MOST_STREAMS:
            waiting[0].end()
        shower = self.of(administered).shower
        stream = Stream(token_hex(8), administered.name, administered.repeater, shower, self.clock, self._gone)
        self._streams[stream.id] = stream
        return stream, False

    def tell(self, repeater: str, name: str, data: object) -> None:
        """Send an event to all streams of a repeater."""
        for stream in list(self._streams.values()):
            if stream.name == repeater:
                stream.send(name, data)

    def _gone(self, stream: Stream) -> None:
        """A stream is gone: its rules go, and what they hold is released."""
        if self._streams.pop(stream.id, None) is not None and (found := self._debugged.get(stream.name)) is not None:
            found.rules.remove_of(stream.id)

    # -- held messages --------------------------------------------------------------------------------------------

    def shown(self, item: HeldItem, *, full: bool = False) -> Held:
        """Return a held message as JSON."""
        message, settable = self._debugged[item.repeater].shower.held(item.message, FULL if full else IN_STREAM)
        return Held(
            id=item.id,
            rule=item.rule.id,
            stream=item.rule.asked.stream,
            since=item.since,
            until=item.until,
            left=item.left(self.clock),
            behind_bytes=item.message.behind,
            behind_messages=None,
            message=message,
            settable=settable,
        )

    def held_in_pieces(self, repeater: str) -> Iterator[bytes]:
        """Return what a repeater holds as JSON, one message in each piece. One that went on meanwhile is left out."""
        before = start = b'{"held":[\n'
        for item in self.held.of(repeater):
            if self.held.holds(item):
                yield before + json_of(self.shown(item))
                before = b",\n"
        yield (start if before is start else b"") + b"\n]}\n"

    def release_matching(self, debugged: Debugged, criteria: Criteria, last: int | None) -> Deferred[int]:
        """Release what a repeater holds now and what matches, in the order in which it came; much in several turns.

        Args:
            debugged: what belongs to the repeater.
            criteria: which messages.
            last: the highest id of these; ``None`` for all.

        Returns:
            Fires with how many were released. What comes while this is done is not, nor what goes by itself.
        """
        items = self.held.of(debugged.administered.name)
        released: list[int] = []

        def steps() -> Iterator[None]:
            for item in items:
                is_meant = (last is None or item.id <= last) and self.held.holds(item)
                if is_meant and debugged.rules.is_wanted(item.message, criteria):
                    self.held.settle(item, "released")
                    released.append(item.id)
                yield

        return in_slices(self.clock, steps()).addCallback(lambda done: len(released))

    def _was_held(self, item: HeldItem) -> None:
        """Tell the streams in the next turn of the reactor: then it is known what waits behind the message."""
        if any(stream.attached and stream.name == item.repeater for stream in self._streams.values()):
            self._untold.add(item.id)
            self.clock.callLater(0, self._tell_held, item)

    def _tell_held(self, item: HeldItem) -> None:
        if item.id in self._untold:
            self._untold.remove(item.id)
            self.tell(item.repeater, "held", self.shown(item))

    def _was_settled(self, item: HeldItem, how: str) -> None:
        self._tell_held(item)  # if it goes on before they were told
        self.tell(item.repeater, "settled", {"id": item.id, "how": how})

    # -- the end --------------------------------------------------------------------------------------------------

    def release(self, repeater: str | None = None) -> None:
        """Release everything, and hold nothing more: the process is drained.

        Args:
            repeater: the name of the only repeater that is drained; ``None`` for all.
        """
        if repeater is None:
            self.closed = True
        for name, debugged in self._debugged.items():
            if repeater in (None, name):
                debugged.rules.remove_of(None)

    def end(self) -> None:
        """End all streams, and release everything: the administration goes."""
        self.release()
        for stream in list(self._streams.values()):
            stream.end()
        for debugged in self._debugged.values():
            debugged.stop()


def clock_of(reactor: Any) -> Any:
    """Return a reactor; ``None`` means the one that runs."""
    if reactor is None:
        from twisted.internet import reactor as running

        return running
    return reactor
