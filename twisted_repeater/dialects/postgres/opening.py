"""The opening of PostgreSQL: plays the beginning of a connection up to where the server has admitted the client.

1. The client asks for encryption, or not, and is answered. It may also begin TLS without asking.
2. Its startup packet says who it is, or it asks to cancel a statement. The repeater admits it.
3. The repeater connects to the server, with TLS if that is to be.
4. It relays the startup packet, and the authentication up to AuthenticationOk; see `authentication`.
5. The rest, which begins with the settings of the session, goes through the filters.
"""

from __future__ import annotations

from collections.abc import Mapping

from zope.interface import implementer

from ...errors import InvalidHello, ServerUnreachable
from ...interfaces import IFraming
from ...model import Side
from ..attempt import Attempt, Peer
from .authentication import Security, authenticate
from .refusals import PROTOCOL_VIOLATION, Refused
from .startup import (
    CANCEL,
    GSS,
    LONGEST,
    PACKET,
    REQUEST,
    TLS,
    Session,
    Startup,
    code_of,
    read_startup,
    size_of,
    with_parameters,
)
from .tls import ALPN, ClientTLS, ServerTLS

__all__ = ["PostgresOpening"]

HANDSHAKE = b"\x16"
"""The first byte of TLS."""

HEAD = 8
"""How many bytes of a packet say what it is."""

MAJOR = 3
"""The version of the protocol that is spoken."""

MOST_MAJOR = 9
"""Higher versions are not PostgreSQL, nor a request that is known."""

CERTAINLY_NOT: str = "the client does not speak postgres"
"""Begins the errors about those who get no answer."""


@implementer(IFraming)
class OneByte:
    """Cuts the one byte with which a server answers the request for TLS."""

    body: int = 0
    """See `IFraming`."""

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        self.body = start
        return start + 1 if end > start else 0

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        return payload

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`."""
        return payload


class PostgresOpening:
    """The opening of PostgreSQL.

    Args:
        client_tls: TLS with clients; ``None`` for none.
        server_tls: TLS with the server; ``None`` for none.
        parameters: parameters that each session gets, whatever its client says of them.
    """

    def __init__(
        self, client_tls: ClientTLS | None, server_tls: ServerTLS | None, parameters: Mapping[str, str]
    ) -> None:
        self._client_tls = client_tls
        self._server_tls = server_tls
        self._parameters = parameters

    async def __call__(self, attempt: Attempt) -> None:
        """Play it."""
        packet, secure = await self._first_packet(attempt.client)
        if code_of(packet) == CANCEL:
            await self._cancel(attempt, secure)
            return
        startup = self._startup(packet, secure)
        if self._parameters:
            packet = with_parameters(packet, self._parameters)
            if len(packet) > LONGEST:
                raise _too_long(len(packet))
        await attempt.admit(
            startup.user,
            database=startup.database,
            application_name=startup.application_name,
            secure=secure,
            cancel=False,
        )
        await attempt.dial()
        server_secure = await self._secure(attempt.server)
        own = None if self._client_tls is None else self._client_tls.certificate
        admitted, version = await authenticate(attempt, packet, Security(secure, server_secure, own))
        await attempt.connect(client=startup, server=Session(version, server_secure))
        attempt.client.send(admitted)

    # -- the client ----------------------------------------------------------------------------------------------

    async def _first_packet(self, client: Peer) -> tuple[bytes, bool]:
        """Answer the client's requests for encryption; return its next packet, and whether it uses TLS.

        A request to cancel a statement stays in the stream.
        """
        secure = await client.peek_bytes(1) == HANDSHAKE
        if secure:
            await self._begin_at_once(client)
        requests = set() if secure else {TLS, GSS}
        while True:
            head = await client.peek_bytes(HEAD)
            if size_of(head) > LONGEST and code_of(head) >> 16 == MAJOR:
                raise _too_long(size_of(head))
            code = code_of(head)
            if code == CANCEL:
                return (await client.peek(PACKET)).data, secure
            packet = (await client.read(PACKET)).data
            if code not in requests or len(packet) != HEAD:
                return packet, secure
            requests.discard(code)
            if code == TLS and self._client_tls is not None:
                client.send(b"S")
                await client.start_tls(self._client_tls.options)
                secure = True
                requests.clear()
            else:
                client.send(b"N")

    async def _begin_at_once(self, client: Peer) -> None:
        """Begin TLS with a client that has not asked, and must name the protocol in the handshake."""
        if self._client_tls is None:
            raise InvalidHello(f"{CERTAINLY_NOT}: it begins with TLS, which is not offered here", Side.CLIENT)
        await client.start_tls(self._client_tls.options, unread="feed")
        if client.alpn != ALPN:
            raise InvalidHello(f"{CERTAINLY_NOT}: it begins with TLS, without naming postgresql by ALPN", Side.CLIENT)

    def _startup(self, packet: bytes, secure: bool) -> Startup:
        """Return what the startup packet of a client says that can be served."""
        major, minor = code_of(packet) >> 16, code_of(packet) & 0xFFFF
        if not 0 < major <= MOST_MAJOR:
            raise InvalidHello(f"{CERTAINLY_NOT}: it asks for version {major}.{minor}: {packet[:32]!r}", Side.CLIENT)
        if major != MAJOR:
            raise Refused(f"version {major}.{minor} of the protocol is not spoken, but version 3", code="0A000")
        startup = read_startup(packet)
        if not startup.user:
            raise Refused("the startup packet must name a user", code="28000")
        if self._client_tls is not None and self._client_tls.required and not secure:
            raise Refused("the connection must use TLS", code="28000", hint="Connect with sslmode=require.")
        return startup

    # -- the server ----------------------------------------------------------------------------------------------

    async def _secure(self, server: Peer) -> bool:
        """Begin TLS with the server if it is asked for; return whether the server accepts."""
        tls = self._server_tls
        if tls is None:
            return False
        server.send(REQUEST[TLS])
        answer = (await server.read(OneByte())).data
        if answer == b"S":
            await server.start_tls(tls.options)
            return True
        if answer != b"N":  # the text of an error may be anybody's, so nobody gets it
            raise ServerUnreachable(
                f"the server must answer the request for TLS by S or N, not {answer!r}", Side.SERVER
            )
        if tls.required:
            raise ServerUnreachable("the server does not offer TLS, which is required", Side.SERVER)
        return False

    async def _cancel(self, attempt: Attempt, secure: bool) -> None:
        """Forward the request to cancel a statement. Nobody answers it: the server closes when it is done.

        Some clients do not wait for that, and leave at once. While the request is in the stream, the attempt goes on.
        """
        await attempt.admit(None, database="", application_name="", secure=secure, cancel=True)
        await attempt.dial()
        server_secure = await self._secure(attempt.server)
        attempt.server.send((await attempt.client.read(PACKET)).data)
        await attempt.connect(server=Session((MAJOR, 0), server_secure))


def _too_long(size: int) -> Refused:
    return Refused(f"a startup packet must have at most {LONGEST} bytes, not {size}", code=PROTOCOL_VIOLATION)
