"""The conversation between client and server from the startup packet to AuthenticationOk.

The repeater relays it, so neither filters nor logs see passwords. It changes what cannot be as it is between two
connections, each with TLS or without:

* A client without TLS is not offered passwords that are bound to a certificate (SCRAM-SHA-256-PLUS): it would take
  offence. It uses SCRAM-SHA-256, as with a server without TLS.
* A client with TLS that has chosen such a password has bound it to the repeater's certificate. It passes if that is
  the server's, too. If it is not, the server would refuse the password, so the client is told what to do instead.

To hide the offer from clients with TLS would not help. They say that they could have bound the password, and the server
takes that for an attack.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twisted.internet.defer import DeferredList, FirstError

from ...errors import InvalidHello
from ...framings import LengthFraming
from ...model import Side
from ..attempt import Attempt
from .encoding import frame
from .refusals import PROTOCOL_VIOLATION, Refused, RefusedByServer
from .startup import lowered, negotiation
from .tls import is_same

if TYPE_CHECKING:
    from OpenSSL.crypto import X509

__all__ = ["Security", "authenticate"]

MESSAGE = LengthFraming(128 * 1024, size=4, at=1, adds=-4, whole=True)
"""Cuts the messages. PostgreSQL reads tokens of up to 64 KiB."""

PASSWORD, MD5, GSS, GSS_CONTINUE, SSPI, SASL, SASL_CONTINUE = 3, 5, 7, 8, 9, 10, 11
"""Kinds of messages of type R."""

OK_BODY = b"\0\0\0\0"
"""The kind of the last one."""

ASKS: frozenset[int] = frozenset((PASSWORD, MD5, GSS, SSPI, SASL, SASL_CONTINUE))
"""Those that the client answers."""

BOUND = b"-PLUS"
"""How the names of mechanisms end that bind the password to a certificate."""


@dataclass(frozen=True, slots=True)
class Security:
    """How the two connections are secured."""

    client: bool
    """Whether the client's has TLS."""
    server: bool
    """Whether the server's has."""
    own: X509 | None = None
    """The certificate that the client sees; ``None`` if it is not known."""


async def authenticate(attempt: Attempt, packet: bytes, security: Security) -> tuple[bytes, tuple[int, int]]:
    """Relay the conversation.

    Args:
        attempt: both peers.
        packet: the client's startup packet.
        security: how they are connected.

    Returns:
        The AuthenticationOk, which the client has not got yet, and the version of the protocol.

    Raises:
        ConnectingError: the server refuses the client, or one of them does not speak the protocol.
    """
    client, server = attempt.client, attempt.server
    asked, extensions = lowered(packet)
    negotiated = asked is packet  # else the client must be told
    version = asked[4:8]
    server.send(asked)
    while True:
        message = (await server.read(MESSAGE)).data
        kind = message[:1]
        if kind == b"E":
            raise RefusedByServer(message)
        if kind == b"v":
            message = message if negotiated else _negotiation(message, asked, extensions)
            version, negotiated = message[5:9], True
        if kind == b"R":
            if not negotiated:
                client.send(_negotiation(None, asked, extensions))
                negotiated = True
            if message[5:] == OK_BODY:
                return message, _version(version)
            await _relay(attempt, message, security)
        elif kind in b"Nv":
            client.send(message)
        else:
            raise InvalidHello(f"the server sent a message of type {kind!r} before it admitted the client", Side.SERVER)


async def _relay(attempt: Attempt, message: bytes, security: Security) -> None:
    """Relay what the server asks, and the client's answer."""
    client, server = attempt.client, attempt.server
    kind = int.from_bytes(message[5:9], "big")
    if kind == SASL and not security.client:
        message = _without_binding(message)
    client.send(message)
    if kind == GSS_CONTINUE:
        if await _server_speaks(attempt):
            return
    elif kind not in ASKS:
        return
    answer = (await client.read(MESSAGE)).data
    if answer[:1] != b"p":
        said = f"the client must answer the server's request for a password, not send a message of type {answer[:1]!r}"
        raise Refused(said, code=PROTOCOL_VIOLATION)
    if kind == SASL:
        _check_binding(answer[5:].partition(b"\0")[0], attempt, security)
    server.send(answer)


async def _server_speaks(attempt: Attempt) -> bool:
    """Return whether the server speaks next, and not the client: after the last token of GSS it does."""
    waiting = [attempt.server.peek(MESSAGE), attempt.client.peek(MESSAGE)]
    try:
        _, first = await DeferredList(waiting, fireOnOneCallback=True, fireOnOneErrback=True, consumeErrors=True)
    except FirstError as error:
        error.subFailure.raiseException()
    finally:
        for each in waiting:
            each.cancel()
    return first == 0


def _without_binding(message: bytes) -> bytes:
    """Return a list of mechanisms without those that bind the password, unless there are no others."""
    names = [name for name in message[9:].split(b"\0") if name and not name.endswith(BOUND)]
    if not names:
        return message
    return frame(b"R", message[5:9] + b"".join(name + b"\0" for name in names) + b"\0")


def _check_binding(mechanism: bytes, attempt: Attempt, security: Security) -> None:
    """Refuse a client whose password the server would refuse, because it is bound to another certificate."""
    if not (mechanism.endswith(BOUND) and security.client and security.server):
        return
    if not is_same(security.own, attempt.server.certificate):
        raise Refused(
            "a password that is bound to the repeater's certificate cannot be checked by the server, which has another",
            code="28000",
            hint="Connect with channel_binding=disable, or let the repeater use the server's certificate and key.",
        )


def _negotiation(server: bytes | None, asked: bytes, extensions: list[bytes]) -> bytes:
    try:
        return negotiation(server, asked, extensions)
    except ValueError as error:
        raise InvalidHello(f"the server does not speak postgres: {error}", Side.SERVER) from error


def _version(data: bytes) -> tuple[int, int]:
    code = int.from_bytes(data, "big")
    return code >> 16, code & 0xFFFF
