"""The filters of the dialect: they stand around the application's, and keep the numbers of the session right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from ..._pending import verdict_later
from ..._types import Filter, FilterFunction
from ...errors import MarshalingError, ParseError
from ...filters import filter_function, selector_of
from ...interfaces import ICodec, IFilter, IFilterPair, ISelectiveByCodec, ISessionFilter
from ...link import Link
from ...model import Direction, OnFilterError, Side
from ...selectors import Selector
from ...verdicts import DO_NOTHING, DROP, PASS_ON, Answer, Close, Verdict, plain
from .codec import Unreadable
from .decisions import is_of_session
from .flow import opposite
from .message import Message
from .messages import Reject
from .numbers import NotLoggedOn
from .refusals import malformed
from .sessions import Session, Sessions
from .store import StoreError
from .tracking import Tracker, Untracked

__all__ = ["NumberedSessions", "SessionFilter"]

ROOM = 512
"""How many bytes the repeater may add to a message: its header, another number, and what says that it is sent again."""


@implementer(IFilterPair)
class NumberedSessions:
    """The pair of filters of the dialect.

    Args:
        sessions: the sessions of the repeater.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def for_link(self, link: Link) -> tuple[SessionFilter, SessionFilter]:
        """See `IFilterPair`."""
        longest = link._pair.framing_to(Side.SERVER).max_frame
        session = self._sessions.begin(link.client_name)
        if longest:  # a framing of the application's own does not say it
            session.numbers.largest = longest - ROOM
        return SessionFilter(session, Direction.TO_SERVER), SessionFilter(session, Direction.TO_CLIENT)


@implementer(ISessionFilter)
class SessionFilter:
    """What a link knows of its session in one direction.

    Args:
        session: the session, which both directions share.
        way: the direction.
    """

    def __init__(self, session: Session, way: Direction) -> None:
        self._session = session
        self._way = way
        self.tracker: Tracker = session.numbers.trackers[way]
        """Counts the messages that just pass."""
        self._message: Message | None = None
        """The message that the application's filter looks at, or has looked at last."""

    def filter(self, message: Message, link: Link) -> Answer:
        """Pass a message on, as if there were no filters of the application."""
        return self.decide(message, link, None)

    def around(self, inner: Filter | None) -> Filter:
        """See `ISessionFilter`."""
        return _Around(self, inner)

    def decide(self, message: Message, link: Link, ask: FilterFunction | None) -> Answer:
        """Return the verdict on a message, after asking the application's filters where that is needed."""
        self._message = message
        numbers, tracker = self._session.numbers, self.tracker
        is_next = tracker.is_next(message)
        try:
            asks = is_next or numbers.arrived(self._way, message)
        except StoreError as error:
            return self._broken(error)
        try:
            if not asks:
                ask = None
            if type(message) is Unreadable or len(message.data) > numbers.largest:
                self._check(message, ask)
            answer: Any = PASS_ON if ask is None else ask(message, link)
        except ParseError as error:
            answer = self._malformed(error, link)
        if answer is PASS_ON and is_next and tracker.is_next(message):  # the filter may have sent something
            return tracker.passed(message)
        if issubclass(type(answer), Verdict):
            return self._settled(answer)
        later = verdict_later(answer).addErrback(self._malformed_later, link)
        return later.addCallback(self._settled_later, link)

    def _check(self, message: Message, ask: FilterFunction | None) -> None:
        """Raise the error about a message that cannot be decided about, or cannot be renumbered."""
        if isinstance(message, Unreadable) and (ask is not None or 369 in message):
            raise message.error
        numbers = self._session.numbers
        if len(message.data) > numbers.largest and numbers.changed:  # its own number may be shorter
            raise ParseError(f"a message must have at most {numbers.largest} bytes in this session")

    def _malformed_later(self, failure: Failure, link: Link) -> Verdict:
        failure.trap(ParseError)
        assert isinstance(failure.value, ParseError)
        return self._malformed(failure.value, link)

    def _malformed(self, error: ParseError, link: Link) -> Verdict:
        """Return the verdict on a message of which a field cannot be read.

        That is an error of the sender, not of the filter. If it were not answered, the message would come again. A
        Reject is only dropped. For another message of the session, which is never sent again, the error is raised.
        """
        message = self._message
        if message is None or error.ends_link or is_of_session(message):
            raise error
        if not self._session.over:
            link._pair.parse_error(self._way.source, error)
        return DROP if isinstance(message, Reject) or message.type == "3" else malformed(message, error, link)

    def failed(self, verdict: Verdict, link: Link) -> Verdict:
        """See `ISessionFilter`.

        A message that closes the link, or the last one that is received, has not been decided about. It comes again.
        """
        message = self._message
        if verdict.closes or message is None:
            return verdict
        if verdict.passes:
            return self._settled(verdict)
        if link._pair.on_filter_error is OnFilterError.STOP:
            return verdict
        return self._settled(PASS_ON if is_of_session(message) else verdict)

    def sent(self, message: object, link: Link) -> Iterable[Message]:
        """See `ISessionFilter`."""
        if self._session.broken or self._session.over:
            raise MarshalingError("the session has ended")
        try:
            return self._session.numbers.sent(self._way, message)
        except StoreError as error:
            link.close(self._broken(error).error)
            raise MarshalingError("the session has ended") from error

    def ended(self, link: Link) -> None:
        """See `ISessionFilter`."""
        self._session.end()

    def _settled_later(self, verdict: Verdict, link: Link) -> Any:
        """Settle a verdict that came later.

        If it comes while messages of the other direction are looked at, they must leave first: they have their numbers.
        """
        if not link._pair.is_at_work(opposite(self._way)):
            return self._settled(verdict)
        later: Deferred[None] = Deferred()
        link._pair.call_soon(lambda: later.callback(None))
        return later.addCallback(lambda _: self._settled(verdict))

    def _settled(self, verdict: Verdict) -> Verdict:
        session = self._session
        if session.over or session.broken:
            return DO_NOTHING
        assert self._message is not None
        try:
            return session.numbers.settle(self._way, self._message, plain(verdict))
        except NotLoggedOn as error:
            return Close(error)
        except StoreError as error:
            return self._broken(error)

    def _broken(self, error: StoreError) -> Verdict:
        """The store has failed: nothing more may leave."""
        self._session.broken = True
        for tracker in self._session.numbers.trackers.values():
            tracker.is_quiet = False
        return Close(error)


@implementer(IFilter, ISelectiveByCodec)
class _Around:
    """The filter of a direction, with the application's filters inside."""

    filter: FilterFunction
    """See `IFilter`."""

    def __init__(self, member: SessionFilter, inner: Filter | None) -> None:
        self._member = member
        self._inner = inner
        self._selector: Selector | None = None
        ask = None if inner is None else filter_function(inner)

        def decide(message: Message, link: Link) -> Answer:
            selector = self._selector
            wanted = selector is None or selector.matches(message.data, 0, len(message.data))
            return member.decide(message, link, ask if wanted else None)

        decide.__qualname__ = getattr(ask, "__qualname__", decide.__qualname__)  # for logs
        self.filter = decide

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`. All messages have numbers, but most need only be counted."""
        self._selector = None if self._inner is None else selector_of(self._inner, codec)
        return Untracked(self._member.tracker, self._inner is not None, self._selector)
