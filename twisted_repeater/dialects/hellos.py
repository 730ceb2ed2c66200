"""The opening of protocols in which each peer's first frame is a hello, with its name and its versions."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from .._text import text_of, told
from .._types import Handshake
from ..errors import (
    ConnectingError,
    InvalidHello,
    UnexpectedServerName,
    VersionMismatch,
    WrongMode,
)
from ..model import Hello, Limits, Side
from ._dialect import Dialect
from .attempt import Attempt, Peer, Versions
from .message_types import MessageType, agreed_version

__all__ = ["SHOWN", "Hellos", "hellos"]

SHOWN = 32
"""How many bytes of a wrong hello an error shows: enough for "GET / HTTP/1.1"."""


def hellos(handshake: Callable[[Limits], Handshake], *, mode: object = "", production: bool = True) -> Hellos:
    """Return the opening in which the first frame each way is a hello.

    The client is not answered before the server has accepted it: its hello is read, checked and passed on to the
    server; the server's hello is read and checked; ``on_connect`` is called; then the client gets its answer.

    Args:
        handshake: a function that returns the reader and writer of hellos for the limits of a repeater.
        mode: the mode, which must be equal in the hellos of both peers.
        production: whether hellos state the ``prod`` versions of the message types, or else ``test``.
    """
    return Hellos(handshake, mode, production)


class Hellos:
    """The opening with hellos; `hellos` makes it."""

    def __init__(self, handshake: Callable[[Limits], Handshake], mode: object, production: bool) -> None:
        self.handshake: Callable[[Limits], Handshake] = lru_cache(maxsize=8)(handshake)
        """Returns the reader and writer of hellos for the limits of a repeater."""
        self.mode: object = mode
        """The mode that both peers must be in."""
        self.production: bool = production
        """Whether hellos state the ``prod`` versions of the message types, not the ``test`` versions."""

    def stated(self, kind: MessageType) -> int:
        """Return the version of a message type that hellos state."""
        return kind.prod if self.production else kind.test

    def check(self, limits: Limits, repeater_name: str, server_name: str) -> None:
        """Check that a repeater can speak with these names.

        Raises:
            ValueError: ``server_name`` is empty.
            InvalidHello: the names do not fit into a hello.
        """
        if not server_name:
            raise ValueError("server_name must be given: the server says its name in its hello, and it is compared")
        self.handshake(limits).encode(Hello(server_name, self.mode, credentials=repeater_name))

    async def __call__(self, attempt: Attempt) -> None:
        """See `Attempt`."""
        client = await self._read(attempt, attempt.client)
        try:
            await self._link(attempt, client)
        except ConnectingError as error:
            error.client_name = client.name
            raise

    async def _link(self, attempt: Attempt, client: Hello) -> None:
        dialect = attempt.dialect
        self._check_mode(client, Side.CLIENT)
        await attempt.admit(client.name)
        of_client = self._agree(dialect, client, Side.CLIENT)
        await self._greet_server(attempt, client)
        server = await self._read(attempt, attempt.server)
        self._check_mode(server, Side.SERVER)
        if server.name != attempt.server_name:
            expected = attempt.server_name
            raise UnexpectedServerName(f"the server's name is {server.name!r}, {expected!r} was expected", Side.SERVER)
        of_server = self._agree(dialect, server, Side.SERVER)
        await attempt.connect(client=client, server=server, versions=(of_client, of_server))
        own = self._own(attempt, server, dialect.to_client, dialect.to_server)
        attempt.client.send(self.handshake(attempt.limits).encode(own))

    async def _greet_server(self, attempt: Attempt, client: Hello) -> None:
        """Connect to the server and say hello in the client's name."""
        own = self._own(attempt, client, attempt.dialect.to_server, attempt.dialect.to_client)
        try:
            greeting = self.handshake(attempt.limits).encode(own)  # before the dial: this may be what cannot be done
        except InvalidHello as error:
            error.side = Side.CLIENT
            raise
        await attempt.dial()
        attempt.server.send(greeting)

    async def _read(self, attempt: Attempt, peer: Peer) -> Hello:
        """Read a hello. Whatever is wrong with it is an `InvalidHello`."""
        handshake = self.handshake(attempt.limits)
        frame = await peer.read(handshake.framing)
        try:
            return handshake.decode(frame.payload)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # Some are the dialect's fault; but a stranger's bytes brought them out.
            text = text_of(error) if isinstance(error, InvalidHello) else told(error)
            if not (isinstance(error, InvalidHello) and error.is_hello):
                text = f"{text}; no hello of {attempt.dialect.name}: {frame.data[:SHOWN]!r}"
            raise InvalidHello(f"the {peer.side.value}'s hello: {text}", peer.side) from error

    def _own(self, attempt: Attempt, peers: Hello, sends: MessageType, receives: MessageType) -> Hello:
        """Make the hello that tells one peer about the other, with the repeater's own name as credentials."""
        versions = (self.stated(sends), self.stated(receives))
        return Hello(peers.name, self.mode, *versions, attempt.repeater_name, peers.extra)

    def _check_mode(self, hello: Hello, side: Side) -> None:
        if hello.mode != self.mode:
            raise WrongMode(f"the {side.value} runs in mode {hello.mode!r}, {self.mode!r} was expected", side)

    def _agree(self, dialect: Dialect, hello: Hello, side: Side) -> Versions:
        """Agree with a peer on the versions of the messages that it sends and receives."""
        to_server, to_client = dialect.to_server, dialect.to_client
        sent, received = (to_server, to_client) if side is Side.CLIENT else (to_client, to_server)
        versions = Versions(
            agreed_version(hello.send_version, self.stated(sent)),
            agreed_version(self.stated(received), hello.recv_version),
        )
        try:
            sent.codec(versions.sends)
            received.codec(versions.receives)
        except VersionMismatch as error:
            raise VersionMismatch(f"no common version with the {side.value}: {error}", side) from error
        return versions
