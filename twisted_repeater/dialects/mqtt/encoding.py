"""From messages to packets: a function for each class of message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from ...errors import MarshalingError
from .messages import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
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
from .properties import Properties, Property
from .property_codec import PacketType, write_properties
from .wire import (
    LONGEST,
    MalformedPacket,
    binary,
    check_topic,
    check_topic_filter,
    number,
    one_of,
    string,
    varint,
)

__all__ = ["ENCODERS"]

Encoder: TypeAlias = Callable[[Any, int], bytes]
"""A function of a message and the version that returns its packet."""

QOS = (0, 1, 2)


def _packet(first: int, *parts: bytes) -> bytes:
    """Return a packet with its length."""
    size = sum(map(len, parts))
    if size > LONGEST:
        raise MarshalingError(f"a packet must have at most {LONGEST} bytes behind its header, not {size}")
    return b"".join((bytes((first,)), varint(size), *parts))


def _topic_filter(topic_filter: object) -> bytes:
    data = string(topic_filter, "topic_filter")
    _checked(check_topic_filter, topic_filter, "topic_filter")
    return data


def _checked(check: Callable[[Any], None], topic: object, field: str) -> None:
    try:
        check(topic)
    except MalformedPacket as error:
        raise MarshalingError(f"{field}: {error}, not {topic!r}", field=field) from None


def _properties(properties: Properties, packet: PacketType, version: int) -> bytes:
    """Return the properties, which only version 5 has."""
    if version == 5:
        return write_properties(properties, packet)
    if properties:
        raise MarshalingError(f"properties must be empty in version {version}", field="properties")
    return b""


def _packet_id(value: object) -> bytes:
    return number(value, "packet_id", 2, 1)


def _publish(message: Publish, version: int) -> bytes:
    qos = one_of(message.qos, "qos", QOS)
    properties = _properties(message.properties, PacketType.PUBLISH, version)
    if qos == 0 and message.packet_id is not None:
        raise MarshalingError(f"packet_id must be None with QoS 0, not {message.packet_id!r}", field="packet_id")
    if qos == 0 and message.dup:
        raise MarshalingError("dup must be False with QoS 0", field="dup")
    topic = string(message.topic, "topic")
    if message.topic or message.properties.get(Property.TOPIC_ALIAS) is None:
        _checked(check_topic, message.topic, "topic")
    payload = message.payload
    if not isinstance(payload, (bytes, bytearray, memoryview)):
        raise MarshalingError(f"payload must be bytes, not {type(payload).__name__}", field="payload")
    packet_id = _packet_id(message.packet_id) if qos else b""
    first = 0x30 | bool(message.dup) << 3 | qos << 1 | bool(message.retain)
    return _packet(first, topic, packet_id, properties, bytes(payload))


def _connect(message: Connect, version: int) -> bytes:
    if message.version != version:
        raise MarshalingError(f"version must be that of the link, {version}, not {message.version!r}", field="version")
    if version < 5 and message.password is not None and message.username is None:
        raise MarshalingError(f"username must not be None with a password in version {version}", field="username")
    will = message.will
    flags = bool(message.clean_start) << 1 | (message.username is not None) << 7 | (message.password is not None) << 6
    parts = [string(message.client_id, "client_id")]
    if will is not None:
        flags |= 0x04 | one_of(will.qos, "will.qos", QOS) << 3 | bool(will.retain) << 5
        parts += _will(will, version)
    if message.username is not None:
        parts.append(string(message.username, "username"))
    if message.password is not None:
        parts.append(binary(message.password, "password"))
    return _packet(
        0x10,
        string("MQIsdp" if version == 3 else "MQTT", "protocol"),
        bytes((version | bool(message.bridge) << 7, flags)),
        number(message.keep_alive, "keep_alive", 2),
        _properties(message.properties, PacketType.CONNECT, version),
        *parts,
    )


def _will(will: Will, version: int) -> list[bytes]:
    topic = string(will.topic, "will.topic")
    _checked(check_topic, will.topic, "will.topic")
    return [_properties(will.properties, PacketType.WILL, version), topic, binary(will.payload, "will.payload")]


def _connack(message: ConnAck, version: int) -> bytes:
    reason = number(message.reason, "reason", 1)
    properties = _properties(message.properties, PacketType.CONNACK, version)
    return _packet(0x20, bytes((bool(message.session_present),)), reason, properties)


def _acknowledgement(first: int) -> Encoder:
    """Return the encoder of one of the four packets with a number and, in version 5, perhaps a reason."""

    def encode_it(message: PubAck | PubRec | PubRel | PubComp, version: int) -> bytes:
        return _packet(first, _packet_id(message.packet_id), *_reason(message, PacketType(first >> 4), version))

    return encode_it


def _reason(message: Any, kind: PacketType, version: int) -> tuple[bytes, ...]:
    """Return a reason and properties, as far as they are not left out."""
    properties = _properties(message.properties, kind, version)
    if version != 5:
        if message.reason:
            raise MarshalingError(f"reason must be 0 in version {version}, not {message.reason!r}", field="reason")
        return ()
    reason = number(message.reason, "reason", 1)
    if message.properties:
        return (reason, properties)
    return (reason,) if message.reason else ()


def _subscribe(message: Subscribe, version: int) -> bytes:
    properties = _properties(message.properties, PacketType.SUBSCRIBE, version)
    parts = [_subscription(each, version) for each in message.subscriptions]
    return _packet(0x82, _packet_id(message.packet_id), properties, *_some(parts, "subscriptions"))


def _some(parts: list[bytes], field: str) -> list[bytes]:
    if not parts:
        raise MarshalingError(f"{field} must not be empty", field=field)
    return parts


def _subscription(each: Subscription, version: int) -> bytes:
    options = one_of(each.qos, "qos", QOS) | bool(each.no_local) << 2 | bool(each.retain_as_published) << 3
    options |= one_of(each.retain_handling, "retain_handling", QOS) << 4
    if version != 5 and options > 3:
        raise MarshalingError(f"{each!r} must have no option but qos in version {version}", field="subscriptions")
    return _topic_filter(each.topic_filter) + bytes((options,))


def _suback(message: SubAck, version: int) -> bytes:
    properties = _properties(message.properties, PacketType.SUBACK, version)
    parts = [number(reason, "reasons", 1) for reason in message.reasons]
    return _packet(0x90, _packet_id(message.packet_id), properties, *_some(parts, "reasons"))


def _unsubscribe(message: Unsubscribe, version: int) -> bytes:
    properties = _properties(message.properties, PacketType.UNSUBSCRIBE, version)
    parts = [_topic_filter(each) for each in message.topic_filters]
    return _packet(0xA2, _packet_id(message.packet_id), properties, *_some(parts, "topic_filters"))


def _unsuback(message: UnsubAck, version: int) -> bytes:
    properties = _properties(message.properties, PacketType.UNSUBACK, version)
    parts = [number(reason, "reasons", 1) for reason in message.reasons]
    if version == 5:
        _some(parts, "reasons")
    elif parts:
        raise MarshalingError(f"reasons must be empty in version {version}", field="reasons")
    return _packet(0xB0, _packet_id(message.packet_id), properties, *parts)


def _disconnect(message: Disconnect, version: int) -> bytes:
    return _packet(0xE0, *_reason(message, PacketType.DISCONNECT, version))


def _auth(message: Auth, version: int) -> bytes:
    if version != 5:
        raise MarshalingError(f"there is no AUTH in version {version}")
    return _packet(0xF0, *_reason(message, PacketType.AUTH, version))


def _raw(message: Raw, version: int) -> bytes:
    return bytes(message.data)


ENCODERS: dict[type, Encoder] = {
    Connect: _connect,
    ConnAck: _connack,
    Publish: _publish,
    PubAck: _acknowledgement(0x40),
    PubRec: _acknowledgement(0x50),
    PubRel: _acknowledgement(0x62),
    PubComp: _acknowledgement(0x70),
    Subscribe: _subscribe,
    SubAck: _suback,
    Unsubscribe: _unsubscribe,
    UnsubAck: _unsuback,
    Disconnect: _disconnect,
    Auth: _auth,
    Raw: _raw,
}
"""An encoder for each class of message."""
