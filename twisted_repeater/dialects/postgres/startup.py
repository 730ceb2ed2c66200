"""The first packets of a connection, before it has messages: requests, and the startup packet."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...errors import InvalidHello
from ...framings import LengthFraming
from .encoding import frame, text

__all__ = [
    "CANCEL",
    "GSS",
    "LONGEST",
    "PACKET",
    "REQUEST",
    "TLS",
    "Session",
    "Startup",
    "code_of",
    "cut_name",
    "lowered",
    "negotiation",
    "read_startup",
    "size_of",
    "with_parameters",
]

CANCEL, TLS, GSS = 80877102, 80877103, 80877104
"""The codes that a packet has in place of a version: cancel a statement, begin TLS, begin GSS encryption."""

LONGEST: int = 10_004
"""The longest packet that PostgreSQL reads, in bytes."""

PACKET: LengthFraming = LengthFraming(LONGEST, size=4, adds=-4, header=8, whole=True)
"""Cuts the packets."""

REQUEST: dict[int, bytes] = {code: struct.pack(">II", 8, code) for code in (TLS, GSS)}
"""The packets that ask for encryption."""

NEWEST = 2
"""The newest minor version of version 3 that this module knows."""

EXTENSION = b"_pq_."
"""How the names of protocol extensions begin."""

NO = frozenset(("0", "f", "fa", "fal", "fals", "false", "n", "no", "of", "off"))
"""How PostgreSQL lets one write that something is not to be."""

LONGEST_NAME = 63
"""PostgreSQL cuts all names there, in bytes."""

SHORTEST_NEGOTIATION = 8
"""How many bytes the body of a negotiation has at least."""


@dataclass(frozen=True, slots=True)
class Startup:
    """The startup packet of a client. It is ``link.client_hello``."""

    version: tuple[int, int]
    """The version of the protocol that the client asks for, such as ``(3, 0)``."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """What the client has said: ``user``, ``database``, ``application_name``, and other settings of the session."""

    @property
    def user(self) -> str:
        """The user, as the server knows it: PostgreSQL cuts names after 63 bytes."""
        return cut_name(self.parameters.get("user", ""))

    @property
    def database(self) -> str:
        """The database; by default it has the name of the user."""
        return cut_name(self.parameters.get("database") or self.user)

    @property
    def application_name(self) -> str:
        """What the client calls itself, "" if nothing."""
        return self.parameters.get("application_name", "")

    @property
    def replication(self) -> bool:
        """Whether the client asks for a connection for replication."""
        return self.parameters.get("replication", "no").lower() not in NO


@dataclass(frozen=True, slots=True)
class Session:
    """What server and client have agreed on. It is ``link.server_hello``."""

    version: tuple[int, int]
    """The version of the protocol, such as ``(3, 0)``."""
    secure: bool
    """Whether the connection to the server uses TLS."""


def code_of(packet: bytes) -> int:
    """Return the version or the code of a packet."""
    return int.from_bytes(packet[4:8], "big")


def size_of(packet: bytes) -> int:
    """Return the size that the beginning of a packet says."""
    return int.from_bytes(packet[:4], "big")


def cut_name(name: str) -> str:
    """Return a name as the server knows it."""
    if len(name) <= LONGEST_NAME and name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape")[:LONGEST_NAME].decode("utf-8", "surrogateescape")


def read_startup(packet: bytes) -> Startup:
    """Return what a startup packet says. Where a name occurs twice, the last one counts, as for the server.

    Raises:
        InvalidHello: it is not a startup packet.
    """
    code = code_of(packet)
    return Startup((code >> 16, code & 0xFFFF), {_shown(name): _shown(value) for name, value in _pairs(packet)})


def with_parameters(packet: bytes, parameters: Mapping[str, str]) -> bytes:
    """Return a startup packet in which some parameters have other values, whatever the client says of them.

    The server does not care for the case of a name, and believes the last value. It reads ``options``, in which clients
    may write any setting, before all of them.
    """
    own = {name.lower() for name in parameters}
    pairs = [pair for pair in _pairs(packet) if _shown(pair[0]).lower() not in own]
    return _packet(packet[4:8], pairs, b"".join(map(text, (each for pair in parameters.items() for each in pair))))


def lowered(packet: bytes) -> tuple[bytes, list[bytes]]:
    """Return a startup packet that asks for no more than this module knows.

    The extensions that it asks for are left out, and a newer minor version becomes the newest one that is known.

    Returns:
        The packet, and the names of the extensions. If the packet is another one, the client must be told by a
        `negotiation`.
    """
    pairs = _pairs(packet)
    extensions = [name for name, _ in pairs if name.startswith(EXTENSION)]
    code = min(code_of(packet), 3 << 16 | NEWEST)
    if not extensions and code == code_of(packet):
        return packet, []
    return _packet(code.to_bytes(4, "big"), [pair for pair in pairs if pair[0] not in extensions]), extensions


def negotiation(server: bytes | None, packet: bytes, extensions: list[bytes]) -> bytes:
    """Return the message that tells a client which version is spoken, and which extensions are not.

    Args:
        server: the server's own such message; ``None`` if it agrees to the packet.
        packet: the startup packet that the server got.
        extensions: those that it was not asked for.

    Raises:
        ValueError: the server's message is wrong.
    """
    version, unknown = packet[4:8], list(extensions)
    if server is not None:
        body = server[5:]
        count = int.from_bytes(body[4:8], "big")
        names = body[SHORTEST_NEGOTIATION:].split(b"\0")
        if len(body) < SHORTEST_NEGOTIATION or names.pop() != b"" or len(names) != count:
            raise ValueError("a NegotiateProtocolVersion must have as many names as it says")
        version = body[:4]
        unknown += names
    return frame(b"v", version + len(unknown).to_bytes(4, "big") + b"".join(name + b"\0" for name in unknown))


def _pairs(packet: bytes) -> list[tuple[bytes, bytes]]:
    """Return the parameters of a startup packet in their order."""
    words = packet[8:].split(b"\0")
    if len(words) < 2 or words[-1] or words[-2] or len(words) % 2 or b"" in words[:-2:2]:
        raise InvalidHello("a startup packet must have pairs of a name and a value, and a zero byte after the last")
    return list(zip(words[:-2:2], words[1:-2:2], strict=True))


def _packet(code: bytes, pairs: list[tuple[bytes, bytes]], more: bytes = b"") -> bytes:
    body = code + b"".join(name + b"\0" + value + b"\0" for name, value in pairs) + more + b"\0"
    return (len(body) + 4).to_bytes(4, "big") + body


def _shown(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
