"""Who watches which links of a repeater, and how they are told.

The lanes of a watched link have a setup that tells `Watches` of each message; other lanes know nothing of it. While
anybody watches, what an opening reads and sends is noted: when the link has its name, it may turn out to be watched.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._lane.account import WatchClock
from .._text import class_name, loggable, repr_of
from ..errors import ConnectingError
from ..model import Direction, Side
from ..watching import Origin, WatchedMessage, Watcher
from .link import Link

if TYPE_CHECKING:
    from .pair import Pair

__all__ = ["LinksToWatch", "OpeningNotes", "Watch", "Watches"]

log: Logger = Logger()

MAX_NOTED = 1024 * 1024
"""How many bytes of one opening are noted at most; watchers are not told of those that come later."""

ENDING_TIME = 30.0
"""How many seconds a shutdown waits for watchers at most."""

LinksToWatch: TypeAlias = str | Collection[str] | Callable[[Link], object] | None
"""Says which links are watched: those of a client's name, of several names, or those for which a function returns a
true value; ``None`` stands for all."""


class OpeningNotes:
    """What the opening of one link has read and sent."""

    __slots__ = ("_notes", "_size")

    def __init__(self) -> None:
        self._notes: list[tuple[float, Direction, bytes, bytes]] = []
        self._size = 0

    def add(self, time: float, direction: Direction, *, received: bytes = b"", sent: bytes = b"") -> None:
        """Note bytes, unless there are too many already."""
        self._size += len(received) + len(sent)
        if self._size <= MAX_NOTED:
            self._notes.append((time, direction, received, sent))

    def messages(self, link: Link) -> list[WatchedMessage]:
        """Return what was noted, as watchers get it."""
        return [
            WatchedMessage(link, way, time, origin=Origin.OPENING, frame=received, payload=received, forward=sent)
            for time, way, received, sent in self._notes
        ]


class Watch:
    """What `Repeater.watch` returns: a watcher with the links that it sees."""

    __slots__ = ("_chooses", "_held", "_tell", "_watcher", "_watches", "ended")

    def __init__(self, watches: Watches, watcher: Watcher, links: LinksToWatch) -> None:
        tell = watcher if not hasattr(watcher, "message_watched") else watcher.message_watched
        if not callable(tell):
            raise TypeError(f"a watcher must be a function or have a method message_watched, not {repr_of(watcher)}")
        self._watches = watches
        self._watcher = watcher
        self._tell = tell
        self._chooses = chooser(links)
        self._held = False
        self.ended: Deferred[Any] | None = None
        """Fires when the watcher has ended; ``None`` as long as it watches."""

    def stop(self) -> None:
        """Tell the watcher nothing more. A second call does nothing."""
        self._watches.remove(self)

    def hold(self) -> None:
        """Read nothing from the watched links until `release`. What was received already may still come."""
        if not self._held and self.ended is None:
            self._held = True
            self._watches.set_valves(self)

    def release(self) -> None:
        """Read on."""
        if self._held:
            self._held = False
            self._watches.set_valves(self)

    @property
    def held(self) -> bool:
        """Whether nothing is read from the watched links."""
        return self._held

    # -- for `Watches` -------------------------------------------------------------------------------------------

    def wants(self, link: Link) -> bool:
        """Return whether it watches a link."""
        try:
            return bool(self._chooses(link))
        except KeyboardInterrupt:
            raise
        except BaseException:
            self._failed("links", Failure())
            return False

    def tell_message(self, message: WatchedMessage) -> None:
        """Tell the watcher of a message."""
        if self.ended is None:
            try:
                self._tell(message)
            except KeyboardInterrupt:
                raise
            except BaseException:
                self._failed("message_watched", Failure())

    def tell(self, event: str, *arguments: object) -> None:
        """Call a method of the watcher, if it has that."""
        method = getattr(self._watcher, event, None)
        if method is not None and self.ended is None:
            try:
                method(*arguments)
            except KeyboardInterrupt:
                raise
            except BaseException:
                self._failed(event, Failure())

    def end(self) -> None:
        """Tell the watcher that nothing more comes. Call it once."""
        self.ended = Deferred()
        done = maybeDeferred(getattr(self._watcher, "watch_ended", lambda: None))
        done.addErrback(lambda failure: self._log("watch_ended", failure))
        done.chainDeferred(self.ended)

    def _failed(self, what: str, failure: Failure) -> None:
        self._log(what, failure)
        self.stop()

    def _log(self, what: str, failure: Failure) -> None:
        watcher = class_name(self._watcher)
        log.failure("a watcher is stopped: {watcher} raised in {what}", loggable(failure), watcher=watcher, what=what)


def chooser(links: LinksToWatch) -> Callable[[Link], object]:
    """Return the function that says which links are watched."""
    if links is None:
        return lambda link: True
    if isinstance(links, str):
        return lambda link: link.client_name == links
    if callable(links):
        return links
    if isinstance(links, Collection) and all(isinstance(name, str) for name in links):
        names = frozenset(links)
        return lambda link: link.client_name in names
    raise TypeError(f"links must be None, names of clients or a function of a link, not {repr_of(links)}")


class Watches:
    """Every watch of a repeater. To its lanes it is a `LaneWatch`.

    Args:
        clock: gives the time of messages.
        pairs: every link and every attempt of the repeater.
        equip: gives the lanes of a pair the setup that they need now.
    """

    def __init__(self, clock: IReactorTime, pairs: Iterable[Pair], equip: Callable[[Pair], None]) -> None:
        self._clock = clock
        self._pairs = pairs
        self._equip = equip
        self._watches: tuple[Watch, ...] = ()
        self._ending: list[Deferred[Any]] = []
        self.clock: WatchClock = WatchClock(clock.seconds)
        """Gives the time of all messages, in seconds since 1970."""

    def __bool__(self) -> bool:
        return bool(self._watches)

    # -- watches -------------------------------------------------------------------------------------------------

    def add(self, watcher: Watcher, links: LinksToWatch) -> Watch:
        """Begin a watch, of links that are made already, too."""
        watch = Watch(self, watcher, links)
        self._watches += (watch,)
        for pair in list(self._pairs):
            if pair.made:
                self.choose(pair)
        return watch

    def remove(self, watch: Watch) -> None:
        """End a watch."""
        if watch in self._watches:
            watch.release()
            self._watches = tuple(other for other in self._watches if other is not watch)
            watch.end()
            if watch.ended is not None and not watch.ended.called:
                self._ending.append(watch.ended)
                watch.ended.addBoth(self._has_ended, watch.ended)
            for pair in list(self._pairs):
                if watch in pair.watches:
                    self.choose(pair)

    def _has_ended(self, result: object, ended: Deferred[Any]) -> object:
        self._ending.remove(ended)
        return result

    def end(self) -> Deferred[Any]:
        """End all watches: the repeater is shut down. Fires when the watchers have done what they had left to do."""
        for watch in self._watches:
            self.remove(watch)
        done = _branch(DeferredList(list(self._ending)))
        done.addTimeout(ENDING_TIME, self._clock, onTimeoutCancel=_still_ending)
        return done

    def choose(self, pair: Pair) -> None:
        """Find out who watches a link: it is new, it has another name, or a watch began or ended."""
        before = pair.watches
        chosen = tuple(watch for watch in self._watches if watch.wants(pair.link))
        pair.watches = chosen = tuple(watch for watch in chosen if watch.ended is None)
        for watch in {*before, *chosen}:
            _set_valves(pair, watch, closed=watch.held and watch in chosen)
        if bool(before) is not bool(chosen) and not pair.over:
            self._equip(pair)

    def set_valves(self, watch: Watch) -> None:
        """Stop or resume reading from the links of a watch."""
        for pair in list(self._pairs):
            if watch in pair.watches:
                _set_valves(pair, watch, closed=watch.held)

    # -- what happens on links -----------------------------------------------------------------------------------

    def message_watched(self, message: WatchedMessage) -> None:
        """See `LaneWatch`."""
        pair: Any = message.link._pair  # a call of `pair_of` for each message would cost more than the rest of this
        for watch in pair.watches:
            watch.tell_message(message)

    def own_sent(self, pair: Pair, side: Side, frame: bytes) -> None:
        """The application or the dialect has sent a frame by itself on a watched link."""
        way = Direction.TO_SERVER if side is Side.SERVER else Direction.TO_CLIENT
        self.message_watched(WatchedMessage(pair.link, way, self.clock.now(), origin=Origin.OWN, forward=frame))

    def link_made(self, pair: Pair, notes: OpeningNotes | None) -> None:
        """A link is complete, and does not relay yet."""
        self.choose(pair)
        for watch in pair.watches:
            watch.tell("link_made", pair.link)
        for message in notes.messages(pair.link) if notes is not None and pair.watches else ():
            self.message_watched(message)

    def link_refused(self, pair: Pair, notes: OpeningNotes | None, error: ConnectingError) -> None:
        """A client could not be linked."""
        chosen = [watch for watch in self._watches if watch.wants(pair.link)]
        messages = notes.messages(pair.link) if notes is not None and chosen else []
        if pair.last_words and chosen:
            way, words = Direction.TO_CLIENT, pair.last_words
            messages.append(WatchedMessage(pair.link, way, self.clock.now(), origin=Origin.OPENING, forward=words))
        for watch in chosen:
            for message in messages:
                watch.tell_message(message)
            watch.tell("link_refused", pair.link, error)

    def link_ended(self, pair: Pair) -> None:
        """Both connections of a link are gone."""
        watches, pair.watches = pair.watches, ()
        for watch in watches:
            watch.tell("link_ended", pair.link, pair.reason)


def _set_valves(pair: Pair, watch: Watch, *, closed: bool) -> None:
    """Stop or resume reading from both sides of a link, as far as this watch has to say."""
    reason = f"watch {id(watch)}"
    for connection in (pair.client, pair.server):
        if closed and not connection.gone:
            connection.valve.close(reason)
        elif not connection.gone:
            connection.valve.open(reason)


def _branch(deferred: Deferred[Any]) -> Deferred[None]:
    """Return a Deferred that fires when another one does, and whose cancellation does not reach it."""
    branch: Deferred[None] = Deferred()

    def passed(result: object) -> object:
        if not branch.called:
            branch.callback(None)
        return result

    deferred.addBoth(passed)
    return branch


def _still_ending(result: object, timeout: float) -> None:
    log.error("a watcher has not ended within {timeout} seconds; nobody waits for it any more", timeout=timeout)
