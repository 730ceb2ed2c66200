"""The pieces of packets: numbers, strings and bytes, how they are read and written."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import MarshalingError, ParseError
from .reasons import Reason

__all__ = [
    "LONGEST",
    "MalformedPacket",
    "Reader",
    "binary",
    "check_topic",
    "check_topic_filter",
    "number",
    "one_of",
    "string",
    "varint",
]

LONGEST = 0xFFF_FFFF
"""The largest number, and the longest packet without its header: four bytes with seven bits each."""


class MalformedPacket(ParseError):
    """A packet that the protocol does not allow. It ends the link: without it, its peers would wait for ever."""

    reason: int
    """The `Reason` that a client of version 5 is told."""
    level: int | None
    """The level of the protocol in a CONNECT; ``None`` for other packets, or if it is not known."""

    def __init__(self, message: str, reason: int = Reason.MALFORMED_PACKET) -> None:
        super().__init__(message, ends_link=True)
        self.reason = reason
        self.level = None


class Reader:
    """Reads a packet from an offset on. Beyond its end it raises ``IndexError``.

    Args:
        data: the packet.
        at: the offset of the first byte to read.
    """

    __slots__ = ("at", "data")

    def __init__(self, data: bytes, at: int) -> None:
        self.data: bytes = data
        self.at: int = at

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self.data) - self.at

    def byte(self) -> int:
        """Return the next byte."""
        value = self.data[self.at]
        self.at += 1
        return value

    def number(self, size: int) -> int:
        """Return the number in the next bytes."""
        return int.from_bytes(self.take(size))

    def varint(self) -> int:
        """Return a number of at most four bytes, with seven bits in each."""
        value = shift = 0
        while shift < 28:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
        raise MalformedPacket("a number must have at most four bytes")

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        stop = self.at + size
        if stop > len(self.data):
            raise IndexError
        value = self.data[self.at : stop]
        self.at = stop
        return value

    def binary(self) -> bytes:
        """Return bytes after their length."""
        return self.take(self.number(2))

    def string(self) -> str:
        """Return a string after its length."""
        value = self.binary().decode()
        if "\0" in value:
            raise MalformedPacket("a string must not have the character U+0000")
        return value

    def packet_id(self) -> int:
        """Return the number of a packet."""
        value = self.number(2)
        if value == 0:
            raise MalformedPacket("the number of a packet must not be 0", Reason.PROTOCOL_ERROR)
        return value


def check_topic(topic: str) -> None:
    """Raise `MalformedPacket` if a message cannot be published to a topic."""
    if not topic:
        raise MalformedPacket("a topic must not be empty", Reason.PROTOCOL_ERROR)
    if "+" in topic or "#" in topic:
        raise MalformedPacket("the topic of a message must not have wildcards", Reason.TOPIC_NAME_INVALID)


def check_topic_filter(topic_filter: str) -> None:
    """Raise `MalformedPacket` if one cannot subscribe to this."""
    if not topic_filter:
        raise MalformedPacket("a topic filter must not be empty", Reason.PROTOCOL_ERROR)
    if "+" in topic_filter or "#" in topic_filter:
        levels = topic_filter.split("/")
        if any(len(level) > 1 and ("+" in level or "#" in level) for level in levels) or "#" in levels[:-1]:
            raise MalformedPacket(
                "a wildcard must be alone in its level, and # must be the last level", Reason.TOPIC_FILTER_INVALID
            )


def varint(value: int) -> bytes:
    """Return a number with seven bits in each of its bytes."""
    if value < 0x80:
        return bytes((value,))
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def number(value: object, field: str, size: int, least: int = 0, most: int | None = None) -> bytes:
    """Return a number in this many bytes; raise `MarshalingError` unless it is in its range."""
    largest = (1 << 8 * size) - 1 if most is None else most
    if not isinstance(value, int) or not least <= value <= largest:
        raise MarshalingError(f"{field} must be a number from {least} to {largest}, not {value!r}", field=field)
    return value.to_bytes(size)


def string(value: object, field: str) -> bytes:
    """Return a string with its length; raise `MarshalingError` if it cannot be sent."""
    if not isinstance(value, str) or "\0" in value:
        raise MarshalingError(f"{field} must be a string without the character U+0000, not {value!r}", field=field)
    try:
        data = value.encode()
    except UnicodeEncodeError as error:
        raise MarshalingError(f"{field} must be Unicode text: {error}", field=field) from error
    return _with_length(data, field)


def binary(value: object, field: str) -> bytes:
    """Return bytes with their length; raise `MarshalingError` if they cannot be sent."""
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise MarshalingError(f"{field} must be bytes, not {type(value).__name__}", field=field)
    return _with_length(bytes(value), field)


def _with_length(data: bytes, field: str) -> bytes:
    size = len(data)
    if size > 0xFFFF:
        raise MarshalingError(f"{field} must have at most 65535 bytes, not {size}", field=field)
    return size.to_bytes(2) + data


def one_of(value: object, field: str, allowed: Sequence[int]) -> int:
    """Return a number; raise `MarshalingError` unless it is one of these."""
    if not isinstance(value, int) or value not in allowed:
        raise MarshalingError(f"{field} must be one of {', '.join(map(str, allowed))}, not {value!r}", field=field)
    return int(value)
