"""Calls the filters of a dialect that keep a session: see `ISessionFilter`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from ..link import Link
from ..verdicts import Close, Verdict, plain
from .connection import Connection
from .encoder import marshaling_error_of

if TYPE_CHECKING:
    from .pair import Pair

__all__ = ["after_failure_of", "alters_sent", "end_sessions", "messages_for"]

log: Logger = Logger()


def alters_sent(pair: Pair, connection: Connection) -> bool:
    """Return whether the dialect decides what goes out for a message that the application sends to this side."""
    return hasattr(_filter_towards(pair, connection), "sent")


def messages_for(pair: Pair, connection: Connection, message: object) -> Iterable[object]:
    """Return the messages that go out for one that the application sends to a side."""
    if not alters_sent(pair, connection):
        return (message,)
    try:
        return tuple(_filter_towards(pair, connection).sent(message, pair.link))
    except Exception as error:
        pair.marshaling_error(connection, marshaling_error_of(error))
        return ()


def after_failure_of(member: Any) -> Callable[[Verdict, Any], Verdict] | None:
    """Return what `LaneSetup.after_failure` is for a filter of the dialect."""
    failed = getattr(member, "failed", None)
    if failed is None:
        return None

    def after_failure(verdict: Verdict, link: Link) -> Verdict:
        try:
            return plain(failed(verdict, link))
        except Exception as error:
            return Close(error)

    return after_failure


def end_sessions(pair: Pair) -> None:
    """Tell the dialect's filters that their link is over."""
    for member in pair.dialect_filters:
        ended = getattr(member, "ended", None)
        if ended is not None:
            try:
                ended(pair.link)
            except Exception:
                log.failure("the filter of a dialect failed at the end of a link")


def _filter_towards(pair: Pair, connection: Connection) -> Any:
    return pair.dialect_filters[connection is pair.client]
