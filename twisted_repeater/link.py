"""A link as the application sees it: one client's pair of connections, in filters, callbacks and observers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from zope.interface import implementer

from .interfaces import ILink

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IAddress

    from .errors import ParseError
    from .model import Direction, OnFilterError, Side

__all__ = ["Link"]


class _Connection(Protocol):
    """One of the two connections of a pair."""

    @property
    def address(self) -> IAddress: ...

    @property
    def certificate(self) -> Any: ...


class _Pair(Protocol):
    """The pair of connections behind a link; `_link.pair` has it."""

    id: int
    client_name: str
    server_name: str
    client_hello: Any
    server_hello: Any
    details: Mapping[str, object]
    stopped: frozenset[Direction]

    @property
    def client(self) -> _Connection: ...

    @property
    def server(self) -> _Connection: ...

    def received(self, direction: Direction, /) -> tuple[int, int]: ...

    @property
    def held(self) -> bool: ...

    def hold(self) -> None: ...

    def resume(self) -> None: ...

    def send(self, connection: Any, message: object, /) -> None: ...

    def identify(self, name: str, /) -> Deferred[None]: ...

    def finish(self) -> None: ...

    def close(self, reason: BaseException | None, /) -> None: ...

    # For filters of this package, which need more than an application:

    @property
    def on_filter_error(self) -> OnFilterError: ...

    def is_at_work(self, direction: Direction, /) -> bool: ...

    def call_soon(self, call: Callable[[], None], /) -> None: ...

    def call_later(self, delay: float, call: Callable[[], None], /) -> None: ...

    def parse_error(self, side: Side, error: ParseError, /) -> None: ...

    def redacted(self, message: object, /) -> object: ...

    def framing_to(self, side: Side, /) -> Any: ...


@implementer(ILink)
class Link:
    """One client's pair of connections.

    Filters, callbacks and observers get it. Annotate with it: ``def check(message: bytes, link: Link) -> Verdict``.
    """

    __slots__ = ("__weakref__", "_pair", "state")

    state: Any
    """The object that ``on_connect`` returned."""

    def __init__(self, pair: _Pair) -> None:
        self._pair = pair
        self.state = None

    def __repr__(self) -> str:
        return f"<link of {self.client_name!r} to {self.server_name!r}>"

    @property
    def id(self) -> int:
        """A number that no other link of this repeater has, or had."""
        return self._pair.id

    @property
    def client_name(self) -> str:
        """The name that the client has said, or else a label made of its address."""
        return self._pair.client_name

    @property
    def server_name(self) -> str:
        """The name in the server's hello; without hellos the ``server_name`` of `Repeater.create`."""
        return self._pair.server_name

    @property
    def client_hello(self) -> Any:
        """The client's `Hello`. In a dialect without hellos: the object that the opening gave to `Attempt.connect`."""
        return self._pair.client_hello

    @property
    def server_hello(self) -> Any:
        """The server's `Hello`; see `client_hello`."""
        return self._pair.server_hello

    @property
    def details(self) -> Mapping[str, object]:
        """Facts about the client, by name: those that the opening gave to `Attempt.admit`."""
        return self._pair.details

    @property
    def client_certificate(self) -> Any:
        """The client's TLS certificate, an ``OpenSSL.crypto.X509``; ``None`` without TLS, or if it has none."""
        return self._pair.client.certificate

    @property
    def client_address(self) -> IAddress:
        """The address that the client connected from."""
        return self._pair.client.address

    @property
    def server_address(self) -> IAddress:
        """The address of the server."""
        return self._pair.server.address

    @property
    def stopped(self) -> frozenset[Direction]:
        """The directions in which the failure of a filter has ended receiving for good."""
        return self._pair.stopped

    def received(self, direction: Direction) -> tuple[int, int]:
        """Return how many messages of a direction were received so far, and how many bytes with their headers.

        A filter that calls it counts the message that it looks at, and none after it.
        """
        return self._pair.received(direction)

    def send_to_client(self, message: object) -> None:
        """Send a message of the application's own to the client. It goes through no filter.

        If the client's side is gone, nothing happens. If the message cannot be encoded, ``on_error`` gets a
        `MarshalingError`. A client that does not read is disconnected as a `SlowConsumer`.

        Args:
            message: the message, of a class that the codec of this direction encodes; ``bytes`` without a codec.
        """
        self._pair.send(self._pair.client, message)

    def send_to_server(self, message: object) -> None:
        """Send a message of the application's own to the server; see `send_to_client`."""
        self._pair.send(self._pair.server, message)

    def identify(self, name: str) -> Deferred[None]:
        """Give the link the name that its client has said only now, in a login for example.

        The repeater asks ``is_client_allowed`` about the name, and obeys `Dialect.same_name`. When the link has its new
        name, the old one is free, and ``link_identified`` of the observers is called.

        Args:
            name: the name, as the client says it.

        Returns:
            A Deferred that fails with a `ConnectingError` if the link cannot have the name, or if that takes longer
            than ``limits.hello_timeout``. Then the link keeps its old name, and you decide whether it goes on. If you
            call this again before it has fired, the earlier call fails with `Replaced`.

        Raises:
            RuntimeError: the link is not made yet.
            TypeError: the name is not a string.
        """
        return self._pair.identify(name)

    def hold(self) -> None:
        """Read nothing more from the client until `resume` is called. What was received already is not held.

        The server is still read. The end of the client's stream is noticed only after `resume`.
        """
        self._pair.hold()

    def resume(self) -> None:
        """Read from the client again, after `hold`."""
        self._pair.resume()

    @property
    def held(self) -> bool:
        """Whether nothing is read from the client, because of `hold`."""
        return self._pair.held

    def finish(self) -> None:
        """Let the link end without losing a reply.

        When everything that a side sent before the end of its stream is delivered, the stream to the other side ends.
        The link closes when both directions have ended, or when ``limits.linger`` is over.
        """
        self._pair.finish()

    def close(self, reason: BaseException | None = None) -> None:
        """Close both sides, after all received messages are filtered and all waiting bytes are sent.

        A second call does nothing.

        Args:
            reason: the error that logs and observers get as the reason; ``None`` without an error.
        """
        self._pair.close(reason)
