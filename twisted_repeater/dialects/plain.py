"""Dialects of which only the framing is known: `length`, `varint`, `delimited`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from .._types import Codec, FramingObject
from ..framings import DelimitedFraming, LengthFraming, VarintFraming
from ..model import SameName
from ._dialect import Dialect
from .message_types import MessageType
from .openings import server_first

__all__ = ["delimited", "length", "plain", "varint"]

Messages = Codec | MessageType | None
"""The messages of one direction: see `Dialect`."""


def length(
    *,
    size: int = 4,
    at: int = 0,
    order: Literal["big", "little"] = "big",
    adds: int = 0,
    header: int = 0,
    whole: bool | None = None,
    max_frame: int | None = None,
    to_server: Messages = None,
    to_client: Messages = None,
) -> Dialect:
    """Return a dialect whose frames have their length at a fixed place. See `LengthFraming`.

    The repeater dials the server at once, so either side may speak first. Each client has its address for a name, and
    names may be shared.

    Args:
        size: how many bytes the length has: 1, 2, 3, 4 or 8.
        at: the offset of the length in the frame.
        order: the order of its bytes.
        adds: how many bytes follow the length that it does not count; below 0 for bytes that it counts and that do not
            follow it, such as its own.
        header: the offset at which the payload begins; 0 if it follows the length.
        whole: whether filters see the whole frame, with its header. By default they do if the header has more in it
            than the length: the repeater could not write the rest of it.
        max_frame: the longest payload, in bytes, unless the repeater's limits say otherwise.
        to_server: the messages to the server: a codec, a `MessageType`, or ``None`` for plain ``bytes``.
        to_client: the messages to the client, in the same way.

    Raises:
        ValueError: no frame can be of this form.
    """
    has_more = at > 0 or header > at + size
    all_of_it = has_more if whole is None else whole

    def framing(longest: int) -> FramingObject:
        return LengthFraming(longest, size=size, at=at, order=order, adds=adds, header=header, whole=all_of_it)

    return plain("length", framing, max_frame, to_server, to_client)


def varint(
    *,
    at: int = 0,
    max_bytes: int = 4,
    whole: bool | None = None,
    max_frame: int | None = None,
    to_server: Messages = None,
    to_client: Messages = None,
) -> Dialect:
    """Return a dialect whose frames have their length as a varint: 7 bits in each byte. See `VarintFraming`.

    It dials, and names clients, as `length` does.

    Args:
        at: the offset of the length in the frame.
        max_bytes: how many bytes the length may have.
        whole: whether filters see the whole frame, with its header. By default they do if ``at`` is above 0.
        max_frame: the longest payload, in bytes, unless the repeater's limits say otherwise.
        to_server: the messages to the server, as for `length`.
        to_client: the messages to the client, in the same way.

    Raises:
        ValueError: no frame can be of this form.
    """
    all_of_it = at > 0 if whole is None else whole

    def framing(longest: int) -> FramingObject:
        return VarintFraming(longest, at=at, max_bytes=max_bytes, whole=all_of_it)

    return plain("varint", framing, max_frame, to_server, to_client)


def delimited(
    *,
    end: bytes,
    start: bytes = b"",
    whole: bool = False,
    max_frame: int | None = None,
    to_server: Messages = None,
    to_client: Messages = None,
) -> Dialect:
    r"""Return a dialect whose frames end with a mark, and may begin with one. See `DelimitedFraming`.

    It dials, and names clients, as `length` does.

    Args:
        end: the bytes at which a frame ends. Those of HL7's MLLP are ``b"\x1c\r"``.
        start: the bytes with which each frame begins. Those of MLLP are ``b"\x0b"``.
        whole: whether filters see the whole frame, with its marks.
        max_frame: the longest payload, in bytes, unless the repeater's limits say otherwise.
        to_server: the messages to the server, as for `length`.
        to_client: the messages to the client, in the same way.

    Raises:
        ValueError: ``end`` is empty.
    """

    def framing(longest: int) -> FramingObject:
        return DelimitedFraming(longest, end, start=start, whole=whole)

    return plain("delimited", framing, max_frame, to_server, to_client)


def plain(
    name: str,
    framing: Callable[[int], FramingObject],
    max_frame: int | None,
    to_server: Messages,
    to_client: Messages,
) -> Dialect:
    """Return a dialect; ``framing`` makes its framing for a longest payload."""
    framing(max_frame or 1)  # raises now, not with the first client, if no frame can be of this form

    return Dialect(
        name=name,
        framing=lambda limits: framing(int(limits.max_frame)),  # its default is of a class derived from int
        opening=server_first,
        same_name=SameName.SHARE,
        max_frame=max_frame,
        to_server=to_server,
        to_client=to_client,
    )
