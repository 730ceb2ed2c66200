"""What happens where the application gave `Repeater.start` no callback."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ..errors import ConnectingError, LinkError
from ..model import Side
from ..observers import LogObserver
from .factory import RepeaterFactory
from .link import Link, pair_of

__all__ = ["OnConnectingError", "OnError", "default_callbacks", "end_link", "no_state"]

OnError: TypeAlias = Callable[[Link, Side, LinkError], object]
OnConnectingError: TypeAlias = Callable[[str | None, str, ConnectingError], object]


def no_state(link: Link) -> None:
    """The default ``on_connect``."""


def end_link(link: Link, side: Side, error: LinkError) -> None:
    """End a link that has lost a side, without losing a reply, or that a filter's failure has stopped.

    Other errors leave the link as it is.
    """
    pair_of(link).end_by_default(error)


def default_callbacks(factory: RepeaterFactory) -> tuple[OnError | None, OnConnectingError]:
    """Return the default ``on_error`` and ``on_connecting_error``. They log, unless an observer does."""
    if any(isinstance(observer, LogObserver) for observer in factory.settings.observers):
        return None, lambda client_name, server_name, error: None  # a link ends by default without a callback, too
    log_observer = LogObserver(factory.clock)

    def log_and_end(link: Link, side: Side, error: LinkError) -> None:
        log_observer.link_error(link, side, error)
        end_link(link, side, error)

    return log_and_end, lambda client_name, server_name, error: log_observer.link_refused(client_name, error)
