"""What an opening is written with: the attempt to link a client, and its two peers.

An *opening* is the part of a `Dialect` that plays the beginning of the protocol, for each client that connects, up to
where messages are relayed. It is a coroutine function. This one is for a protocol in which the server greets first, and
the client's first message is its name::

    async def opening(attempt: Attempt) -> None:
        attempt.client.send(b"READY\\n")  # as the server does, which cannot be chosen before the name is known
        login = await attempt.client.peek()  # it stays in the stream: the filters and the server get it
        await attempt.admit(login.payload.decode("ascii", "replace"))  # now the client has a place, and its name
        await attempt.dial()  # now there is a server
        await attempt.server.read()  # the server's own greeting, which nobody else gets
        await attempt.connect()  # now there is a link, and both may still be sent something

``openings.py`` has those that are ready. The repeater cares for deadlines, limits, refusals and cleaning up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

from .._types import FramingObject
from ..model import Limits, Side

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IAddress

    from ._dialect import Dialect

__all__ = ["Attempt", "Frame", "Opening", "Peer", "Versions"]


class Frame(NamedTuple):
    """One frame that an opening has read."""

    data: bytes
    """The bytes of the whole frame, as they came."""
    payload: bytes
    """The payload in them, which a filter would get."""


class Versions(NamedTuple):
    """The versions of the messages of one peer, as its opening has agreed on them."""

    sends: int
    """The version of the messages that the peer sends."""
    receives: int
    """The version of the messages that it receives."""


class Peer:
    """The client or the server, while a link is being made.

    If a method waits for bytes that do not come, because the peer leaves or the time is over, the repeater ends the
    attempt. After `Attempt.connect` only `send` may be called.
    """

    __slots__ = ("_peer",)

    def __init__(self, peer: _Peer) -> None:
        self._peer = peer

    @property
    def side(self) -> Side:
        """`Side.CLIENT` or `Side.SERVER`."""
        return self._peer.side

    @property
    def address(self) -> IAddress:
        """Its address. For a client behind a load balancer, the one in the PROXY header."""
        return self._peer.address

    @property
    def certificate(self) -> Any:
        """Its TLS certificate, an ``OpenSSL.crypto.X509``; ``None`` without TLS, or if it has none."""
        return self._peer.certificate

    @property
    def alpn(self) -> bytes | None:
        """The protocol that was agreed on in the TLS handshake, such as ``b"postgresql"``; ``None`` if none was."""
        return self._peer.alpn

    def peek(self, framing: FramingObject | None = None) -> Deferred[Frame]:
        """Return the next frame and leave it in the stream. It goes through the filters as the first message.

        If you ask again, you get the same frame.

        Args:
            framing: cuts the frame; by default the dialect's framing for the messages of this peer.

        Returns:
            A Deferred of the frame. It fails with `InvalidHello` if the bytes are not a frame. Before `Attempt.admit`
            the payload must have at most ``limits.max_hello`` bytes.
        """
        return self._peer.peek(framing)

    def read(self, framing: FramingObject | None = None) -> Deferred[Frame]:
        """Return the next frame, which nobody else gets. See `peek`."""
        return self._peer.read(framing)

    def peek_bytes(self, count: int) -> Deferred[bytes]:
        """Return the next bytes and leave them in the stream.

        Args:
            count: how many, at most ``limits.max_hello``.
        """
        return self._peer.peek_bytes(count)

    def send(self, data: bytes) -> None:
        """Send bytes as they are. They go through no filter."""
        self._peer.send(data)

    def start_tls(self, options: Any, *, unread: Literal["refuse", "feed"] = "refuse") -> Deferred[None]:
        """Speak TLS with this peer from here on. What was sent before leaves unencrypted.

        The repeater is the TLS server of a client, and the TLS client of a server.

        Args:
            options: for a client what Twisted's ``CertificateOptions`` makes; for a server what ``optionsForClientTLS``
                returns.
            unread: what to do with bytes that were received already. ``"refuse"`` ends the attempt with `InvalidHello`:
                they came unencrypted, so somebody else may have put them there. ``"feed"`` makes them the beginning of
                the handshake, for protocols in which the peer begins TLS without waiting for an answer.

        Returns:
            A Deferred that fires when the handshake is done.
        """
        return self._peer.start_tls(options, unread)


class Attempt:
    """One client on its way to being linked. The opening of a dialect gets it.

    An opening takes the steps `admit`, `dial` and `connect`, in this order. Steps that it leaves out follow when it
    returns: `admit` by the address, `dial`, `connect`. If it raises, only this attempt ends. The same happens if it
    takes too long: it has ``limits.hello_timeout`` until `admit`, and again from there until it returns. For example::

        async def opening(attempt: Attempt) -> None:  # the server speaks first
            await attempt.admit()
            await attempt.dial()
            greeting = await attempt.server.read()
            await attempt.connect()
            attempt.client.send(greeting.data)
    """

    __slots__ = ("_making", "client", "server")

    client: Peer
    """The client."""
    server: Peer
    """The server. Before `dial` its methods raise ``RuntimeError``."""

    def __init__(self, making: _Making, client: Peer, server: Peer) -> None:
        self._making = making
        self.client = client
        self.server = server

    @property
    def dialect(self) -> Dialect:
        """The dialect whose opening this is."""
        return self._making.dialect

    @property
    def limits(self) -> Limits:
        """The limits of the repeater."""
        return self._making.limits

    @property
    def repeater_name(self) -> str:
        """The name of the repeater."""
        return self._making.repeater_name

    @property
    def server_name(self) -> str:
        """The ``server_name`` of `Repeater.create`, "" by default."""
        return self._making.server_name

    @property
    def details(self) -> Mapping[str, object]:
        """The details that `admit` got about the client; empty before. A refusal can use them."""
        return self._making.details

    def admit(self, name: str | None = None, **details: object) -> Deferred[None]:
        """Admit the client: wait for a place, ask ``is_client_allowed`` about the name, and take the name.

        Args:
            name: the client's name, as the client says it. ``None`` makes a label of its address: such a name is never
                taken, and ``is_client_allowed`` is not asked about it.
            details: other facts about the client, by name; they become ``link.details``.

        Returns:
            A Deferred that fails with a `ConnectingError` if the client is refused.

        Raises:
            RuntimeError: the client is admitted already.
        """
        return self._making.admit(name, details)

    def dial(self) -> Deferred[None]:
        """Connect to the server.

        Returns:
            A Deferred that fails with `ServerUnreachable`. With a ``tls:`` endpoint it fires after the handshake.

        Raises:
            RuntimeError: the client is not admitted yet, or this was called already.
        """
        return self._making.dial()

    def connect(
        self, *, client: Any = None, server: Any = None, versions: tuple[Versions, Versions] | None = None
    ) -> Deferred[None]:
        """Put the link together and call ``on_connect``. After that, the opening may only call `Peer.send`.

        Args:
            client: an object that describes the client, such as a `Hello`; it becomes ``link.client_hello``.
            server: an object that describes the server; it becomes ``link.server_hello``.
            versions: the versions of the messages of the client and of the server. By default those that the dialect's
                message types state.

        Returns:
            A Deferred that fails with `RefusedByApplication` if ``on_connect`` raises.

        Raises:
            RuntimeError: the server is not dialled yet, or this was called already.
        """
        return self._making.connect(client, server, versions)


Opening: TypeAlias = Callable[[Attempt], Awaitable[None]]
"""A coroutine function of an attempt that plays the beginning of a protocol, up to where messages are relayed."""


# -- what is behind them: the parts of the repeater that make a link --------------------------------------------------


class _Peer(Protocol):
    """The connection behind a peer; `_link.opening_peer` has it."""

    @property
    def side(self) -> Side: ...

    @property
    def address(self) -> IAddress: ...

    @property
    def certificate(self) -> Any: ...

    @property
    def alpn(self) -> bytes | None: ...

    def peek(self, framing: FramingObject | None, /) -> Deferred[Frame]: ...

    def read(self, framing: FramingObject | None, /) -> Deferred[Frame]: ...

    def peek_bytes(self, count: int, /) -> Deferred[bytes]: ...

    def send(self, data: bytes, /) -> None: ...

    def start_tls(self, options: Any, unread: Literal["refuse", "feed"], /) -> Deferred[None]: ...


class _Making(Protocol):
    """The making of a link behind an attempt; `_link.making` has it."""

    @property
    def dialect(self) -> Dialect: ...

    @property
    def limits(self) -> Limits: ...

    @property
    def repeater_name(self) -> str: ...

    @property
    def server_name(self) -> str: ...

    @property
    def details(self) -> Mapping[str, object]: ...

    def admit(self, name: str | None, details: dict[str, object], /) -> Deferred[None]: ...

    def dial(self) -> Deferred[None]: ...

    def connect(self, client: Any, server: Any, versions: tuple[Versions, Versions] | None, /) -> Deferred[None]: ...
