"""The dialect ``async_extra``: the wire of OCaml's ``Versioned_typed_tcp``, byte for byte."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from zope.interface import implementer

from .._types import Codec
from ..codecs.bin_prot import (
    BinProtCodec,
    BinType,
    bin_int,
    bin_prot_codec,
    enumeration,
    record,
    text,
    variant,
)
from ..errors import InvalidHello, MarshalingError, ParseError
from ..framings.async_extra import AsyncExtraFraming, AsyncExtraHelloFraming
from ..framings.base import Framing
from ..interfaces import IHandshake
from ..model import Hello
from ._dialect import Dialect, MessageType

__all__ = ["DONT_CARE_ABOUT_MODE", "BinProtHandshake", "async_extra"]

DONT_CARE_ABOUT_MODE = "Dont_care_about_mode"
"""The one constructor of the mode type that most programs use."""


def async_extra(
    *,
    to_server: Codec | MessageType | None = None,
    to_client: Codec | MessageType | None = None,
    mode: object = DONT_CARE_ABOUT_MODE,
    mode_type: BinType[Any] | None = None,
    production: bool = True,
    clock: Callable[[], float] = time.time,
) -> Dialect:
    """Make the dialect of `Versioned_typed_tcp` peers.

    ``to_server`` and ``to_client`` are the messages of the two directions: a codec (of
    `twisted_repeater.codecs.bin_prot`), a `MessageType` for codecs with versions, or ``None`` for plain ``bytes``.

    ``mode`` must be equal in the hellos of both peers: by default the constant constructor, one byte 0. A string stands
    for the only constructor of its type, a member of an enum for the constructors in the order of the enum;
    ``mode_type`` describes any other type. A mode that is no value of its type is refused.

    ``production`` says which versions the repeater's hellos state: ``prod`` or ``test``.

    ``clock`` gives the time stamp of the repeater's own messages, in seconds since the epoch. A message that is passed
    on keeps its sender's.
    """
    if mode_type is None:
        mode_type = _type_of_mode(mode)
    _check_mode(mode, bin_prot_codec(mode_type))
    return Dialect(
        name="async_extra",
        framing=lambda limits: AsyncExtraFraming(limits.max_frame, clock),
        handshake=lambda limits: BinProtHandshake(limits.max_hello, mode_type),
        to_server=MessageType.of(to_server),
        to_client=MessageType.of(to_client),
        mode=mode,
        production=production,
    )


def _type_of_mode(mode: object) -> BinType[Any]:
    """Return the type that is meant where only a mode is given."""
    if isinstance(mode, enum.Enum):
        return enumeration(type(mode))
    if isinstance(mode, str):
        return variant(mode, name="mode")
    raise TypeError(f"mode: expected a string, or a member of an enum; {mode!r} needs its mode_type as well")


def _check_mode(mode: object, codec: BinProtCodec[Any]) -> None:
    """Raise ``ValueError`` unless hellos can carry a mode, so that it is told before the first one comes."""
    try:
        carried = codec.decode(codec.encode(mode))
    except MarshalingError as error:
        raise ValueError(f"mode: {error}") from error
    if carried != mode:
        raise ValueError(f"mode: {mode!r} would be read as {carried!r}, which is not equal")


@implementer(IHandshake)
class BinProtHandshake:
    """A hello is an 8-byte length and a bin_prot record.

    Its fields are ``name``, ``mode``, ``send_version``, ``recv_version`` and ``credentials``. OCaml's strings are
    bytes; those that are not UTF-8 are kept as surrogate escapes. A hello that the repeater writes may exceed
    ``max_hello`` by the length of its credentials.
    """

    framing: Framing

    def __init__(self, max_hello: int, mode_type: BinType[Any]) -> None:
        string = text(errors="surrogateescape")
        self.framing = AsyncExtraHelloFraming(max_hello)
        self._codec = bin_prot_codec(
            record(Hello, name=string, mode=mode_type, send_version=bin_int, recv_version=bin_int, credentials=string)
        )

    def decode(self, payload: bytes) -> Hello:
        """Read a hello; see `IHandshake`."""
        try:
            return self._codec.decode(payload)
        except ParseError as error:
            raise InvalidHello(f"not a hello: {error}") from error

    def encode(self, hello: Hello) -> bytes:
        """Write a hello; see `IHandshake`."""
        try:
            payload = self._codec.encode(hello)
            rest = len(self._codec.encode(replace(hello, credentials="")))
        except MarshalingError as error:
            raise InvalidHello(f"this hello cannot be written: {error}") from error
        for size in (rest, len(payload) - rest):
            if size > self.framing.max_frame:
                raise InvalidHello(f"a hello of {size} bytes, at most {self.framing.max_frame} can be sent")
        return len(payload).to_bytes(8, "little") + payload
