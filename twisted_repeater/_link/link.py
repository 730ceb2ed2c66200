"""A link as the application sees it: one client's pair of connections, in filters, callbacks and observers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from ..interfaces import ILink
from ..model import Direction, Hello

if TYPE_CHECKING:
    from .pair import Pair

__all__ = ["Link", "pair_of"]


@implementer(ILink)
class Link:
    """One client's pair of connections; see `ILink` for what each name means."""

    __slots__ = ("__weakref__", "_pair", "state")

    state: Any

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self.state = None

    def __repr__(self) -> str:
        return f"<link of {self.client_name!r} to {self.server_name!r}>"

    @property
    def client_name(self) -> str:
        """The name in the client's hello."""
        return self._pair.client_name

    @property
    def server_name(self) -> str:
        """The name in the server's hello."""
        return self._pair.server_name

    @property
    def client_hello(self) -> Hello | None:
        """What the client said of itself."""
        return self._pair.client_hello

    @property
    def server_hello(self) -> Hello | None:
        """What the server said of itself."""
        return self._pair.server_hello

    @property
    def client_address(self) -> Any:
        """Where the client connected from, an `IAddress`."""
        return self._pair.client.address

    @property
    def server_address(self) -> Any:
        """Where the server is, an `IAddress`."""
        return self._pair.server.address

    @property
    def stopped(self) -> frozenset[Direction]:
        """The directions in which a filter's failure has ended receiving for good."""
        return self._pair.stopped

    def received(self, direction: Direction) -> tuple[int, int]:
        """Return how many messages of a direction were received so far, and how many bytes with their headers."""
        return self._pair.received(direction)

    def send_to_client(self, message: Any) -> None:
        """Send a message of the application's own to the client."""
        self._pair.send(self._pair.client, message)

    def send_to_server(self, message: Any) -> None:
        """Send a message of the application's own to the server."""
        self._pair.send(self._pair.server, message)

    def finish(self) -> None:
        """Let the link end without losing a reply."""
        self._pair.finish()

    def close(self, reason: BaseException | None = None) -> None:
        """Close both sides, after what was received is filtered and what waits is flushed."""
        self._pair.close(reason)


def pair_of(link: Link) -> Pair:
    """Return the pair behind a link, for the parts of the repeater itself."""
    return link._pair
