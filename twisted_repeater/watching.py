"""What a watcher sees: each message with all that became of it. `Repeater.watch` makes somebody a watcher."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from zope.interface import Interface

from ._watched import Origin, WatchedMessage

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from .errors import ConnectingError
    from .link import Link

__all__ = ["ILinkWatcher", "IWatcher", "Origin", "WatchedMessage", "Watcher", "WatcherObject"]


class IWatcher(Interface):
    """Sees messages as they pass. All calls come on the reactor's thread; those about one link in order.

    A watcher that raises is stopped, and the error is logged. Nothing happens to the link.
    """

    def message_watched(message: WatchedMessage) -> None:
        """A message was decided about, and the verdict was carried out; or bytes went out without one.

        It is called for each message while the link waits, so it should be quick.
        """


class ILinkWatcher(IWatcher):
    """A watcher that is also told of links. All these methods are optional. The interface need not be declared."""

    def link_made(link: Link) -> None:
        """A link is complete. What its opening read and sent comes next."""

    def link_refused(link: Link, error: ConnectingError) -> None:
        """A client could not be linked. What its opening read and sent came before. The link may have no name."""

    def link_ended(link: Link, reason: BaseException | None) -> None:
        """Both connections of a link are closed; the arguments are those of `IObserver`."""

    def watch_ended() -> Deferred[Any] | None:
        """Nothing more comes: the watch was stopped, the watcher has failed, or the repeater is shut down.

        Called once. A shutdown waits for the Deferred, 30 seconds at most.
        """


class WatcherObject(Protocol):
    """See `IWatcher`."""

    def message_watched(self, message: WatchedMessage, /) -> object:
        """See `IWatcher`."""


Watcher: TypeAlias = Callable[[WatchedMessage], object] | WatcherObject
"""A function of a `WatchedMessage`, or an object with such a method ``message_watched``."""
