"""The dialect ``async_extra``: the wire of OCaml's ``Versioned_typed_tcp``, byte for byte."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from dataclasses import replace

from zope.interface import implementer

from .._types import Codec
from ..codecs.bin_prot import (
    BinProtCodec,
    bin_int,
    bin_prot_codec,
    enumeration,
    record,
    text,
    variant,
)
from ..codecs.bin_prot._type import SomeType
from ..errors import InvalidHello, MarshalingError, ParseError
from ..framings.async_extra import AsyncExtraFraming, AsyncExtraHelloFraming
from ..framings.base import Framing
from ..interfaces import IHandshake
from ..model import Hello
from ._dialect import Dialect
from .hellos import hellos
from .message_types import MessageType

__all__ = ["DONT_CARE_ABOUT_MODE", "BinProtHandshake", "async_extra"]

DONT_CARE_ABOUT_MODE = "Dont_care_about_mode"
"""The one constructor of the mode type that most programs use."""


def async_extra(
    *,
    to_server: Codec | MessageType | None = None,
    to_client: Codec | MessageType | None = None,
    mode: object = DONT_CARE_ABOUT_MODE,
    mode_type: SomeType | None = None,
    production: bool = True,
    clock: Callable[[], float] = time.time,
) -> Dialect:
    """Return the dialect of ``Versioned_typed_tcp`` peers.

    Args:
        to_server: the messages to the server: a codec (of `twisted_repeater.codecs.bin_prot`), a `MessageType` for
            codecs with versions, or ``None`` for plain ``bytes``.
        to_client: the messages to the client, in the same way.
        mode: the mode, which must be equal in the hellos of both peers. The default is the constant constructor, one
            byte 0. A string is the only constructor of its type. A member of an enum is one of the constructors, which
            are in the order of the enum.
        mode_type: the type of any other mode.
        production: whether the repeater's hellos state the ``prod`` versions of the messages, or else ``test``.
        clock: a function that returns the time stamp of the repeater's own messages, in seconds since the epoch. A
            message that is passed on keeps its sender's.

    Raises:
        TypeError: the mode needs ``mode_type``, or a codec is not a codec.
        ValueError: the mode is not a value of its type.
    """
    if mode_type is None:
        mode_type = _type_of_mode(mode)
    _check_mode(mode, bin_prot_codec(mode_type))
    return Dialect(
        name="async_extra",
        framing=lambda limits: AsyncExtraFraming(limits.max_frame, clock),
        opening=hellos(lambda limits: BinProtHandshake(limits.max_hello, mode_type), mode=mode, production=production),
        to_server=to_server,
        to_client=to_client,
    )


def _type_of_mode(mode: object) -> SomeType:
    """Return the type of a mode that is a string or a member of an enum."""
    if isinstance(mode, enum.Enum):
        return enumeration(type(mode))
    if isinstance(mode, str):
        return variant(mode, name="mode")
    raise TypeError(f"mode must be a string or a member of an enum, or come with its mode_type, not {mode!r}")


def _check_mode(mode: object, codec: BinProtCodec[object]) -> None:
    """Raise ``ValueError`` unless hellos can carry a mode."""
    try:
        carried = codec.decode(codec.encode(mode))
    except MarshalingError as error:
        raise ValueError(f"mode: {error}") from error
    if carried != mode:
        raise ValueError(f"mode must be equal when it is read again, {mode!r} would be {carried!r}")


@implementer(IHandshake)
class BinProtHandshake:
    """A hello is an 8-byte length and a bin_prot record.

    Its fields are ``name``, ``mode``, ``send_version``, ``recv_version`` and ``credentials``. OCaml's strings are
    bytes; those that are not UTF-8 are kept as surrogate escapes.

    Args:
        max_hello: the longest hello that is read, in bytes. A hello that the repeater writes may be longer by its
            credentials.
        mode_type: the type of the mode.
    """

    framing: Framing
    """See `IHandshake`."""

    def __init__(self, max_hello: int, mode_type: SomeType) -> None:
        string = text(errors="surrogateescape")
        self.framing = AsyncExtraHelloFraming(max_hello)
        self._codec = bin_prot_codec(
            record(Hello, name=string, mode=mode_type, send_version=bin_int, recv_version=bin_int, credentials=string)
        )

    def decode(self, payload: bytes) -> Hello:
        """See `IHandshake`."""
        try:
            return self._codec.decode(payload)
        except ParseError as error:
            raise InvalidHello(f"not a hello: {error}") from error

    def encode(self, hello: Hello) -> bytes:
        """See `IHandshake`."""
        try:
            payload = self._codec.encode(hello)
            rest = len(self._codec.encode(replace(hello, credentials="")))
        except MarshalingError as error:
            raise InvalidHello(f"this hello cannot be written: {error}") from error
        for size in (rest, len(payload) - rest):
            if size > self.framing.max_frame:
                raise InvalidHello(f"a hello must have at most {self.framing.max_frame} bytes, not {size}")
        return len(payload).to_bytes(8, "little") + payload
