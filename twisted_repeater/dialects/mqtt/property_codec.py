"""The bytes of properties: which values each of them can have, and which packets it can be in."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from ...errors import MarshalingError
from .properties import NO_PROPERTIES, Properties, Property, PropertyValue
from .reasons import Reason
from .wire import LONGEST, MalformedPacket, Reader, binary, number, string, varint

__all__ = ["MOST_PROPERTIES", "PacketType", "read_properties", "write_properties"]

MOST_PROPERTIES = 1000
"""How many a packet may have: each costs time, and they may be as long together as the payload of a message."""


class PacketType(IntEnum):
    """The types of packets, in the high half of their first byte; and the will, which has properties of its own."""

    WILL = 0
    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15


class _Form(NamedTuple):
    """How values are read and written."""

    read: Callable[[Reader], PropertyValue]
    write: Callable[[object, str], bytes]


def _whole(size: int, least: int = 0, most: int | None = None) -> _Form:
    """Return the form of numbers of a size and a range."""
    largest = (1 << 8 * size) - 1 if most is None else most

    def read(reader: Reader) -> int:
        value = reader.number(size)
        if not least <= value <= largest:
            raise MalformedPacket(f"a property must be from {least} to {largest}, not {value}", Reason.PROTOCOL_ERROR)
        return value

    return _Form(read, lambda value, field: number(value, field, size, least, largest))


def _read_varint(reader: Reader) -> int:
    """Read a subscription identifier, which is never 0."""
    value = reader.varint()
    if value == 0:
        raise MalformedPacket("a subscription identifier must not be 0", Reason.PROTOCOL_ERROR)
    return value


def _write_varint(value: object, field: str) -> bytes:
    number(value, field, 4, 1, LONGEST)
    assert isinstance(value, int)
    return varint(value)


def _write_pair(value: object, field: str) -> bytes:
    if not isinstance(value, tuple) or len(value) != 2:
        raise MarshalingError(f"{field} must be a tuple of a name and a value, not {value!r}", field=field)
    return string(value[0], field) + string(value[1], field)


BIT = _whole(1, most=1)
SHORT = _whole(2)
POSITIVE_SHORT = _whole(2, 1)
LONG = _whole(4)
POSITIVE_LONG = _whole(4, 1)
VARINT = _Form(_read_varint, _write_varint)
STRING = _Form(Reader.string, string)
BINARY = _Form(Reader.binary, binary)
PAIR = _Form(lambda reader: (reader.string(), reader.string()), _write_pair)

_P = PacketType
_MESSAGES = (_P.PUBLISH, _P.WILL)
_LOGINS = (_P.CONNECT, _P.CONNACK, _P.AUTH)
_ANSWERS = (_P.CONNACK, _P.PUBACK, _P.PUBREC, _P.PUBREL, _P.PUBCOMP, _P.SUBACK, _P.UNSUBACK, _P.DISCONNECT, _P.AUTH)

RULES: dict[int, tuple[Property, _Form, frozenset[int]]] = {
    int(name): (name, form, frozenset(packets))
    for name, form, packets in (
        (Property.PAYLOAD_FORMAT_INDICATOR, BIT, _MESSAGES),
        (Property.MESSAGE_EXPIRY_INTERVAL, LONG, _MESSAGES),
        (Property.CONTENT_TYPE, STRING, _MESSAGES),
        (Property.RESPONSE_TOPIC, STRING, _MESSAGES),
        (Property.CORRELATION_DATA, BINARY, _MESSAGES),
        (Property.SUBSCRIPTION_IDENTIFIER, VARINT, (_P.PUBLISH, _P.SUBSCRIBE)),
        (Property.SESSION_EXPIRY_INTERVAL, LONG, (_P.CONNECT, _P.CONNACK, _P.DISCONNECT)),
        (Property.ASSIGNED_CLIENT_IDENTIFIER, STRING, (_P.CONNACK,)),
        (Property.SERVER_KEEP_ALIVE, SHORT, (_P.CONNACK,)),
        (Property.AUTHENTICATION_METHOD, STRING, _LOGINS),
        (Property.AUTHENTICATION_DATA, BINARY, _LOGINS),
        (Property.REQUEST_PROBLEM_INFORMATION, BIT, (_P.CONNECT,)),
        (Property.WILL_DELAY_INTERVAL, LONG, (_P.WILL,)),
        (Property.REQUEST_RESPONSE_INFORMATION, BIT, (_P.CONNECT,)),
        (Property.RESPONSE_INFORMATION, STRING, (_P.CONNACK,)),
        (Property.SERVER_REFERENCE, STRING, (_P.CONNACK, _P.DISCONNECT)),
        (Property.REASON_STRING, STRING, _ANSWERS),
        (Property.RECEIVE_MAXIMUM, POSITIVE_SHORT, (_P.CONNECT, _P.CONNACK)),
        (Property.TOPIC_ALIAS_MAXIMUM, SHORT, (_P.CONNECT, _P.CONNACK)),
        (Property.TOPIC_ALIAS, POSITIVE_SHORT, (_P.PUBLISH,)),
        (Property.MAXIMUM_QOS, BIT, (_P.CONNACK,)),
        (Property.RETAIN_AVAILABLE, BIT, (_P.CONNACK,)),
        (Property.USER_PROPERTY, PAIR, tuple(_P)),
        (Property.MAXIMUM_PACKET_SIZE, POSITIVE_LONG, (_P.CONNECT, _P.CONNACK)),
        (Property.WILDCARD_SUBSCRIPTION_AVAILABLE, BIT, (_P.CONNACK,)),
        (Property.SUBSCRIPTION_IDENTIFIER_AVAILABLE, BIT, (_P.CONNACK,)),
        (Property.SHARED_SUBSCRIPTION_AVAILABLE, BIT, (_P.CONNACK,)),
    )
}
"""For each property its form, and the packets that it can be in."""

REPEATED = {
    (Property.SUBSCRIPTION_IDENTIFIER, PacketType.PUBLISH),
    *((Property.USER_PROPERTY, packet) for packet in PacketType),
}
"""The properties that can be there more than once."""


def read_properties(reader: Reader, packet: int) -> Properties:
    """Read the properties of a packet, with their length.

    Args:
        reader: stands where they begin.
        packet: the `PacketType`.

    Raises:
        MalformedPacket: the protocol does not allow them.
        IndexError: they do not end within the packet.
    """
    size = reader.varint()
    if size == 0:
        return NO_PROPERTIES
    if size > reader.left:
        raise IndexError
    stop = reader.at + size
    pairs: list[tuple[Property, PropertyValue]] = []
    seen = set()
    while reader.at < stop:
        identifier = reader.varint()
        rule = RULES.get(identifier)
        if rule is None or packet not in rule[2]:
            raise MalformedPacket(f"there is no property 0x{identifier:02X} in such a packet")
        name = rule[0]
        if name in seen and (name, packet) not in REPEATED:
            raise MalformedPacket(f"the property {name.name} must be there once", Reason.PROTOCOL_ERROR)
        if len(pairs) == MOST_PROPERTIES:
            raise MalformedPacket(f"a packet must have at most {len(pairs)} properties", Reason.PACKET_TOO_LARGE)
        seen.add(name)
        pairs.append((name, rule[1].read(reader)))
    if reader.at != stop:
        raise MalformedPacket("a property must end where the properties end")
    return Properties(pairs)


def write_properties(properties: Properties, packet: int) -> bytes:
    """Return the bytes of the properties of a packet, with their length.

    Raises:
        MarshalingError: the protocol does not allow them.
    """
    if not properties:
        return b"\0"
    seen = set()
    parts = []
    for name, value in properties:
        rule = RULES.get(name)
        if rule is None or packet not in rule[2]:
            raise MarshalingError(f"there is no property {name!r} in such a packet", field="properties")
        field = f"properties.{rule[0].name}"
        if rule[0] in seen and (rule[0], packet) not in REPEATED:
            raise MarshalingError(f"{field} must be there once", field=field)
        seen.add(rule[0])
        parts += [bytes((name,)), rule[1].write(value, field)]
    data = b"".join(parts)
    return varint(len(data)) + data
