"""Who may hold which messages: a filter behind those of the application asks each holder about what goes on.

The lanes of a link that a holder chose have a setup with that filter, so other links pay nothing. The lane waits for a
held message as for any verdict that comes later, but without ``filter_timeout``: the holder has a deadline of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._lane.account import LaneWatch, WatchClock
from .._lane.lane import Lane
from .._lane.setup import LaneSetup
from .._text import class_name, loggable, repr_of
from .._types import FilterFunction
from ..dialects import MessageType
from ..filters._provider import filter_function, name_of, selector_of
from ..filters.chain import both
from ..holding import HeldMessage, Holder
from ..link import Link
from ..selectors import Selector
from ..verdicts import PASS_ON, Answer, Verdict
from ..watching import WatchedMessage
from .watching import LinksToWatch, chooser

if TYPE_CHECKING:
    from .pair import Pair

__all__ = ["Hold", "HoldingFilter", "Holds"]

log: Logger = Logger()


class Hold:
    """What `Repeater.hold` returns: a holder with the links whose messages it may hold."""

    __slots__ = ("_chooses", "_holds", "holder", "over")

    def __init__(self, holds: Holds, holder: Holder, links: LinksToWatch) -> None:
        if not callable(holder):
            raise TypeError(f"a holder must be a function of a message, not {repr_of(holder)}")
        self.holder: Holder = holder
        """The function that is asked."""
        self.over: bool = False
        """Whether it is asked no more."""
        self._holds = holds
        self._chooses = chooser(links)

    def stop(self) -> None:
        """Ask the holder no more. What it holds goes on when its Deferreds fire. A second call does nothing."""
        if not self.over:
            self.over = True
            self._holds.remove(self)

    def choose_again(self) -> None:
        """Ask again which links are chosen, as the answer of ``links`` has changed."""
        if not self.over:
            self._holds.choose_again(self)

    def wants(self, link: Link) -> bool:
        """Return whether its holder is asked about the messages of a link."""
        try:
            return not self.over and bool(self._chooses(link))
        except KeyboardInterrupt:
            raise
        except BaseException:
            self.failed("links", Failure())
            return False

    def failed(self, what: str, failure: Failure) -> None:
        """The application's code has raised: stop."""
        holder = class_name(self.holder)
        log.failure("a holder is stopped: {holder} raised in {what}", loggable(failure), holder=holder, what=what)
        self.stop()


class Holds:
    """Every hold of a repeater, in the order in which they began.

    Args:
        clock: gives the time of messages.
        pairs: every link and every attempt of the repeater.
        equip: gives the lanes of a pair the setup that they need now.
    """

    def __init__(self, clock: IReactorTime, pairs: Iterable[Pair], equip: Callable[[Pair], None]) -> None:
        self.seconds: Callable[[], float] = clock.seconds
        self.held: set[Lane] = set()
        """The lanes that wait for a holder."""
        self._pairs = pairs
        self._equip = equip
        self._holds: tuple[Hold, ...] = ()
        self._equipped: WeakKeyDictionary[Pair, tuple[Hold, ...]] = WeakKeyDictionary()
        """The holds of the links whose lanes have, or are to get, a `HoldingFilter`."""

    def __bool__(self) -> bool:
        return bool(self._holds)

    def add(self, holder: Holder, links: LinksToWatch) -> Hold:
        """Begin a hold, on links that are made already, too."""
        hold = Hold(self, holder, links)
        self._holds += (hold,)
        for pair in list(self._pairs):
            if pair.made and not pair.over and hold.wants(pair.link):
                self._equip(pair)
        return hold

    def remove(self, hold: Hold) -> None:
        """End a hold."""
        self._holds = tuple(other for other in self._holds if other is not hold)
        for pair in list(self._equipped):
            if not pair.over:
                self._equip(pair)

    def choose_again(self, hold: Hold) -> None:
        """Equip the links that a hold chooses now and has not before, and those that it chooses no more."""
        for pair in list(self._pairs):
            if pair.made and not pair.over and hold.wants(pair.link) is not (hold in self._equipped.get(pair, ())):
                self._equip(pair)

    def renamed(self, pair: Pair) -> None:
        """A link has another name: others may hold its messages now."""
        if pair in self._equipped or self.of(pair):
            self._equip(pair)

    def of(self, pair: Pair) -> tuple[Hold, ...]:
        """Return the holds that want a link; its lanes are equipped for them now."""
        chosen = tuple(hold for hold in self._holds if hold.wants(pair.link))
        if chosen:
            self._equipped[pair] = chosen
        else:
            self._equipped.pop(pair, None)
        return chosen


class HoldingFilter:
    """The filter of one lane whose messages may be held: that of the application, and the holders behind it.

    Messages are decoded here, so that the application's filter still gets only those that its selector wants, and so
    that a message that nobody wants may be one that cannot be decoded.
    """

    def __init__(
        self,
        holds: Holds,
        chosen: tuple[Hold, ...],
        pair: Pair,
        lane: Lane,
        kind: MessageType,
        plain: LaneSetup,
    ) -> None:
        self._holds = holds
        self._chosen = chosen
        self._pair = pair
        self._lane = lane
        self._kind = kind
        self._plain = plain
        """The setup of the lane without holders."""
        self._read = kind.reader(lane.setup.versions[0])
        self._inner: FilterFunction | None = None
        self._selector: Selector | None = None
        self._wanted = False
        """Whether the application's filter wants the message at hand."""
        self._payload = b""
        """Its payload."""
        self._original: object = None
        """It, as it was decoded; its payload if that was not possible."""
        self._readable = True
        """Whether it could be decoded."""
        self.holds_it: bool = False
        """Whether a holder decides about it."""

    def around(self, inner: Any) -> Any:
        """Return this filter around that of the application, ``None`` without one."""
        if inner is not None:
            self._inner = filter_function(inner)
            self._selector = selector_of(inner, self._kind.codec_of_filters(self._lane.setup.versions[0]))
        name = "no filter" if inner is None else name_of(inner)  # for errors
        return both(self._ask_inner, self._ask_holders, name)

    def equipped(self, provider: Any) -> LaneSetup:
        """Return the setup for all messages, with a filter that has this one inside."""
        plain = self._plain
        watch = None if plain.watch is None else _HeldWatch(plain.watch, self)
        return plain.replaced(filter=filter_function(provider), decode=self.decode, selector=None, watch=watch)

    def decode(self, payload: bytes) -> object:
        """Return the message of a payload, or the payload itself if it cannot be decoded. See `LaneSetup`.

        If a filter wants it, raise the error.
        """
        selector = self._selector
        self._payload, self.holds_it, self._readable = payload, False, True
        self._wanted = self._inner is not None and (selector is None or selector.matches(payload, 0, len(payload)))
        try:
            self._original = payload if self._read is None else self._read(payload)
        except KeyboardInterrupt:
            raise
        except BaseException:
            if self._is_wanted(payload):
                raise
            self._readable, self._original = False, payload
        return self._original

    def _is_wanted(self, payload: bytes) -> bool:
        """Return whether a filter would look at a message if nobody held any."""
        selector = self._plain.selector
        return self._plain.filter is not None and (selector is None or selector.matches(payload, 0, len(payload)))

    def corrected(self, message: WatchedMessage) -> WatchedMessage:
        """Return what watchers are told: the same as if no message were held, but for the one that is."""
        if message.by_filter and not self.holds_it:
            message.by_filter = self._is_wanted(message.payload)
        found = message.message  # now, as this may decode it, and later this filter is at another one
        message._message = found if self._readable else None
        return message

    def _ask_inner(self, message: object, link: Link) -> Answer:
        return self._inner(message, link) if self._wanted and self._inner is not None else PASS_ON

    def _ask_holders(self, message: object, link: Link) -> Answer:
        if not self._readable:
            return PASS_ON
        for hold in self._chosen:
            if not hold.over:
                try:
                    answer = hold.holder(self._held_message(message, link))
                    if answer is None:
                        continue
                    if not isinstance(answer, Deferred):
                        raise TypeError(f"a holder must return None or a Deferred of a verdict, not {repr_of(answer)}")
                except KeyboardInterrupt:
                    raise
                except BaseException:
                    hold.failed("a message", Failure())
                else:
                    return self._wait_for(answer)
        return PASS_ON

    def _held_message(self, message: object, link: Link) -> HeldMessage:
        return HeldMessage(
            link,
            self._lane.direction,
            self._holds.seconds(),
            message,
            payload=self._payload if message is self._original else None,
            decode=self._read,
            encode=self._kind.writer(self._lane.setup.versions[0]),
            behind=lambda: self._lane.holding,
        )

    def _wait_for(self, answer: Deferred[Verdict]) -> Deferred[Verdict]:
        """Wait for a holder, without the deadline of the application's filters."""
        self.holds_it = True
        if not answer.called:
            self._holds.held.add(self._lane)
            self._pair.time_verdict(self._lane)
            answer.addBoth(self._arrived)
        return answer

    def _arrived(self, result: Any) -> Any:
        self._holds.held.discard(self._lane)
        self._pair.time_verdict(self._lane)
        return result


class _HeldWatch:
    """Tells those who watch of the messages of one lane."""

    def __init__(self, watch: LaneWatch, holding: HoldingFilter) -> None:
        self.clock: WatchClock = watch.clock
        self._tell = watch.message_watched
        self._corrected = holding.corrected

    def message_watched(self, message: WatchedMessage) -> None:
        """See `LaneWatch`."""
        self._tell(self._corrected(message))
