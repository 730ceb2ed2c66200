"""From packets to messages: a function for each type of packet.

What is checked here is what the protocol forbids and a filter could be misled by. What is allowed, or is a matter of
the session, such as which numbers are in use, is for the peers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from .messages import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    Raw,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
)
from .properties import NO_PROPERTIES, Properties, Property
from .property_codec import PacketType, read_properties
from .reasons import Reason
from .unfrozen import unfrozen
from .wire import MalformedPacket, Reader, check_topic, check_topic_filter

__all__ = ["ANY", "decode"]

ANY = 0
"""Stands for the version where it is not known yet."""
PROTOCOLS = {("MQIsdp", 3), ("MQTT", 4), ("MQTT", 5)}
"""The names of the protocol with their levels."""
FLAGS = {PacketType.PUBREL: 2, PacketType.SUBSCRIBE: 2, PacketType.UNSUBSCRIBE: 2}
"""The low half of the first byte, where it is not 0."""

MOST_TOPIC_FILTERS = 10_000
"""How many a request may have: each costs time, and its packet may be as long as the payload of a message."""
_Publish = unfrozen(Publish)
SHORT: dict[int, tuple[type, type]] = {
    0x40: (unfrozen(PubAck), PubAck),
    0x50: (unfrozen(PubRec), PubRec),
    0x62: (unfrozen(PubRel), PubRel),
    0x70: (unfrozen(PubComp), PubComp),
}
"""The classes of acknowledgements by their first byte: to make them, and of what is made."""

Acknowledgement = TypeVar("Acknowledgement", PubAck, PubRec, PubRel, PubComp)
Decoder: TypeAlias = Callable[[bytes, int, int], Packet]
"""A function of a packet, the offset behind its fixed header, and the version."""


def decode(payload: bytes, version: int) -> Packet:
    """Return the message of a packet.

    Args:
        payload: the packet.
        version: the version of the link; `ANY` to decode a CONNECT, which says its version itself.

    Raises:
        MalformedPacket: the protocol does not allow such a packet.
    """
    if len(payload) == 4 and payload[1] == 2 and (short := SHORT.get(payload[0])) is not None:
        number = payload[2] << 8 | payload[3]
        if number:
            made: Packet = short[0](number)
            made.__class__ = short[1]
            return made
    kind = payload[0] >> 4 if payload else 0
    try:
        at, size = _header(payload)
        if at + size != len(payload):
            raise MalformedPacket(f"the packet must have {at + size} bytes, not {len(payload)}")
        return DECODERS[kind](payload, at, version)
    except MalformedPacket as error:
        _about(kind, error)
        raise
    except IndexError:
        raise _about(kind, MalformedPacket("the packet ends too early")) from None
    except UnicodeDecodeError as error:
        raise _about(kind, MalformedPacket(f"a string is not UTF-8: {error.reason}")) from None


def _about(kind: int, error: MalformedPacket) -> MalformedPacket:
    """Return an error that says the type of the packet."""
    if kind:
        error.args = (f"{PacketType(kind).name}: {error}",)
    return error


def _header(payload: bytes) -> tuple[int, int]:
    """Return where the body of a packet begins, and its size."""
    size = payload[1]
    if size < 0x80:
        return 2, size
    reader = Reader(payload, 1)
    return (size := reader.varint(), reader.at)[::-1]


def _publish(data: bytes, at: int, version: int) -> Publish:
    """Decode without a `Reader`: most packets are of this type."""
    first = data[0]
    qos = first >> 1 & 3
    stop = at + 2 + (data[at] << 8 | data[at + 1])
    if stop > len(data):
        raise IndexError
    topic = data[at + 2 : stop].decode()
    if "\0" in topic:
        raise MalformedPacket("a string must not have the character U+0000")
    packet_id = None
    at = stop
    if qos:
        packet_id = data[at] << 8 | data[at + 1]
        at += 2
        if packet_id == 0 or qos == 3:
            raise MalformedPacket("the QoS must be 0 to 2, and the number of the packet must not be 0")
    elif first & 8:
        raise MalformedPacket("DUP must not be set with QoS 0")
    properties = NO_PROPERTIES
    if version == 5:
        if data[at]:
            reader = Reader(data, at)
            properties = read_properties(reader, PacketType.PUBLISH)
            at = reader.at
        else:
            at += 1
    if not topic or "+" in topic or "#" in topic:
        _check_topic(topic, properties)
    made = _Publish(topic, data[at:], qos, first & 1 == 1, packet_id, first & 8 == 8, properties)
    made.__class__ = Publish
    return made


def _check_topic(topic: str, properties: Properties) -> None:
    """Raise `MalformedPacket` unless the topic is valid, or an alias stands for it."""
    if topic or properties.get(Property.TOPIC_ALIAS) is None:
        check_topic(topic)


def _check_flags(data: bytes, version: int) -> None:
    """Check the flags in the first byte. Version 3 leaves some open, and DUP may be set."""
    wanted = FLAGS.get(PacketType(data[0] >> 4), 0)
    if data[0] & 0x0F != wanted and version != 3:
        raise MalformedPacket(f"the flags must be {wanted}, not {data[0] & 0x0F}")


def _reader(data: bytes, at: int, version: int) -> Reader:
    _check_flags(data, version)
    return Reader(data, at)


def _at_end(reader: Reader) -> None:
    if reader.left:
        raise MalformedPacket(f"{reader.left} bytes are left over")


def _connect(data: bytes, at: int, version: int) -> Connect:
    reader = _reader(data, at, version)
    protocol, level = reader.string(), reader.byte()
    if protocol not in ("MQTT", "MQIsdp"):
        raise MalformedPacket(f"the protocol must be MQTT or MQIsdp, not {protocol!r}")
    said = level & 0x7F  # the highest bit is that of bridges
    try:
        if (protocol, said) not in PROTOCOLS or version not in (said, ANY):
            text = f"the version is not known: level {level} of {protocol}"
            raise MalformedPacket(text, Reason.UNSUPPORTED_PROTOCOL_VERSION)
        return _rest_of_connect(reader, said, level != said)
    except (MalformedPacket, IndexError, UnicodeDecodeError) as error:
        raise _with_level(error, said) from None


def _with_level(error: Exception, level: int) -> MalformedPacket:
    """Return an error that knows the version in which the client can be answered."""
    if not isinstance(error, MalformedPacket):
        what = "a string is not UTF-8" if isinstance(error, UnicodeDecodeError) else "the packet ends too early"
        error = MalformedPacket(what)
    error.level = level
    return error


def _rest_of_connect(reader: Reader, version: int, bridge: bool) -> Connect:
    flags = reader.byte()
    if version != 3 and flags & 0x01:
        raise MalformedPacket("a reserved flag is set")
    if flags & 0x18 == 0x18 or (not flags & 0x04 and flags & 0x38):
        raise MalformedPacket("the flags of the will do not fit each other")
    if version < 5 and flags & 0xC0 == 0x40:
        raise MalformedPacket("a password must not be without a user name")
    keep_alive = reader.number(2)
    properties = _properties(reader, PacketType.CONNECT, version)
    client_id = reader.string()
    will = _will(reader, flags, version) if flags & 0x04 else None
    # MQTT 3.1 lets a client leave these out although their flags are set.
    username = reader.string() if flags & 0x80 and (reader.left or version != 3) else None
    password = reader.binary() if flags & 0x40 and (reader.left or version != 3) else None
    _at_end(reader)
    return Connect(client_id, flags & 2 == 2, keep_alive, username, password, will, properties, version, bridge)


def _will(reader: Reader, flags: int, version: int) -> Will:
    properties = _properties(reader, PacketType.WILL, version)
    topic = reader.string()
    check_topic(topic)
    return Will(topic, reader.binary(), flags >> 3 & 3, flags & 0x20 == 0x20, properties)


def _connack(data: bytes, at: int, version: int) -> ConnAck:
    reader = _reader(data, at, version)
    flags = reader.byte()
    if version != 3 and flags & 0xFE:
        raise MalformedPacket("a reserved flag is set")
    reason = reader.byte()
    properties = _properties(reader, PacketType.CONNACK, version)
    _at_end(reader)
    return ConnAck(flags & 1 == 1, reason, properties)


def _acknowledgement(kind: PacketType, make: type[Acknowledgement]) -> Decoder:
    """Return the decoder of one of the four packets with a number and, in version 5, perhaps a reason."""

    def decode_it(data: bytes, at: int, version: int) -> Acknowledgement:
        reader = _reader(data, at, version)
        packet_id = reader.packet_id()
        reason, properties = _reason(reader, kind, version)
        return make(packet_id, reason, properties)

    return decode_it


def _reason(reader: Reader, kind: PacketType, version: int) -> tuple[int, Properties]:
    """Return what may be at the end of a packet of version 5: a reason, and then properties."""
    reason, properties = 0, NO_PROPERTIES
    if version == 5 and reader.left:
        reason = reader.byte()
        if reader.left:
            properties = read_properties(reader, kind)
    _at_end(reader)
    return reason, properties


def _properties(reader: Reader, kind: PacketType, version: int) -> Properties:
    return read_properties(reader, kind) if version == 5 else NO_PROPERTIES


def _subscribe(data: bytes, at: int, version: int) -> Subscribe:
    reader = _reader(data, at, version)
    packet_id = reader.packet_id()
    properties = _properties(reader, PacketType.SUBSCRIBE, version)
    subscriptions = [_subscription(reader, version)]
    while reader.left:
        _check_count(subscriptions)
        subscriptions.append(_subscription(reader, version))
    return Subscribe(packet_id, tuple(subscriptions), properties)


def _subscription(reader: Reader, version: int) -> Subscription:
    topic_filter = reader.string()
    check_topic_filter(topic_filter)
    options = reader.byte()
    if version == 3:
        options &= 0x03
    if options & 0x03 == 3 or options & 0x30 == 0x30 or options > (0x3F if version == 5 else 0x03):
        raise MalformedPacket(f"these options of a subscription are not allowed: 0x{options:02X}")
    return Subscription(topic_filter, options & 3, options & 4 == 4, options & 8 == 8, options >> 4)


def _check_count(read: list[Any]) -> None:
    if len(read) == MOST_TOPIC_FILTERS:
        raise MalformedPacket(f"a request must have at most {len(read)} topic filters", Reason.PACKET_TOO_LARGE)


def _suback(data: bytes, at: int, version: int) -> SubAck:
    reader = _reader(data, at, version)
    packet_id = reader.packet_id()
    properties = _properties(reader, PacketType.SUBACK, version)
    return SubAck(packet_id, tuple(reader.take(max(reader.left, 1))), properties)


def _unsubscribe(data: bytes, at: int, version: int) -> Unsubscribe:
    reader = _reader(data, at, version)
    packet_id = reader.packet_id()
    properties = _properties(reader, PacketType.UNSUBSCRIBE, version)
    topic_filters = [reader.string()]
    while reader.left:
        _check_count(topic_filters)
        topic_filters.append(reader.string())
    for topic_filter in topic_filters:
        check_topic_filter(topic_filter)
    return Unsubscribe(packet_id, tuple(topic_filters), properties)


def _unsuback(data: bytes, at: int, version: int) -> UnsubAck:
    reader = _reader(data, at, version)
    packet_id = reader.packet_id()
    if version != 5:
        _at_end(reader)
        return UnsubAck(packet_id)
    properties = _properties(reader, PacketType.UNSUBACK, version)
    return UnsubAck(packet_id, tuple(reader.take(max(reader.left, 1))), properties)


def _disconnect(data: bytes, at: int, version: int) -> Disconnect:
    return Disconnect(*_reason(_reader(data, at, version), PacketType.DISCONNECT, version))


def _auth(data: bytes, at: int, version: int) -> Auth:
    if version != 5:
        _unknown(data, at, version)
    return Auth(*_reason(_reader(data, at, version), PacketType.AUTH, version))


def _ping(data: bytes, at: int, version: int) -> Raw:
    _at_end(_reader(data, at, version))
    return Raw(data)


def _unknown(data: bytes, at: int, version: int) -> Packet:
    raise MalformedPacket(f"there is no packet of type {data[0] >> 4} in version {version}")


DECODERS: tuple[Decoder, ...] = (
    _unknown,
    _connect,
    _connack,
    _publish,
    _acknowledgement(PacketType.PUBACK, PubAck),
    _acknowledgement(PacketType.PUBREC, PubRec),
    _acknowledgement(PacketType.PUBREL, PubRel),
    _acknowledgement(PacketType.PUBCOMP, PubComp),
    _subscribe,
    _suback,
    _unsubscribe,
    _unsuback,
    _ping,
    _ping,
    _disconnect,
    _auth,
)
"""A decoder for each type of packet."""
