"""Messages of MQTT for the tests of its dialect: strategies that draw valid ones, and packets written by hand."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from twisted_repeater.dialects.mqtt import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    Properties,
    Property,
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
from twisted_repeater.dialects.mqtt.property_codec import BINARY, PAIR, RULES, STRING, VARINT, PacketType

VERSIONS = (3, 4, 5)

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
names = st.text(st.characters(exclude_characters="\0+#", exclude_categories=["Cs"]), min_size=1, max_size=12)
topic_filters = st.lists(st.one_of(st.just("+"), names.map(lambda name: name.replace("/", ""))), min_size=1).map(
    lambda levels: "/".join(levels) or "/"
) | st.sampled_from(["#", "a/#", "$share/group/a/+", "/"])
binaries = st.binary(max_size=20)
qualities = st.integers(0, 2)
numbers = st.integers(1, 65535)
reasons = st.integers(0, 255)
bits = st.booleans()


def text(data: bytes) -> bytes:
    """Return a string of MQTT."""
    return len(data).to_bytes(2) + data


def packet(first: int, body: bytes) -> bytes:
    """Return a packet with a first byte."""
    size, length = len(body), b""
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([first]) + length + bytes([size]) + body


def value_of(name: Property) -> st.SearchStrategy[Any]:
    """Draw a value of a property."""
    form = RULES[name][1]
    if form is STRING:
        return texts
    if form is BINARY:
        return binaries
    if form is PAIR:
        return st.tuples(texts, texts)
    if form is VARINT:
        return st.integers(1, 0xFFF_FFFF)
    return st.integers(1, 1)


def properties(version: int, packet: PacketType) -> st.SearchStrategy[Properties]:
    """Draw the properties of a packet."""
    if version != 5:
        return st.just(Properties())
    allowed = [name for name, _, packets in RULES.values() if packet in packets and name != Property.USER_PROPERTY]
    some = st.lists(st.sampled_from(allowed), unique=True, max_size=4) if allowed else st.just([])
    more = st.lists(st.just(Property.USER_PROPERTY), max_size=2)
    chosen = st.tuples(some, more).map(lambda both: both[0] + both[1])
    return chosen.flatmap(
        lambda names: st.tuples(*[value_of(name) for name in names]).map(
            lambda values: Properties(zip(names, values, strict=True))
        )
    )


def wills(version: int) -> st.SearchStrategy[Will]:
    """Draw a will."""
    return st.builds(Will, names, binaries, qualities, bits, properties(version, PacketType.WILL))


@st.composite
def connects(draw: st.DrawFn, version: int) -> Connect:
    """Draw a CONNECT."""
    username = draw(st.none() | texts)
    password = draw(st.none() | binaries) if version == 5 or username is not None else None
    return Connect(
        draw(texts),
        draw(bits),
        draw(st.integers(0, 65535)),
        username,
        password,
        draw(st.none() | wills(version)),
        draw(properties(version, PacketType.CONNECT)),
        version,
        draw(bits),
    )


@st.composite
def publishes(draw: st.DrawFn, version: int) -> Publish:
    """Draw a PUBLISH."""
    qos = draw(qualities)
    own = draw(properties(version, PacketType.PUBLISH))
    topic = draw(names | st.just("") if own.get(Property.TOPIC_ALIAS) else names)
    return Publish(
        topic, draw(binaries), qos, draw(bits), draw(numbers) if qos else None, draw(bits) if qos else False, own
    )


def acknowledgements(version: int) -> st.SearchStrategy[Packet]:
    """Draw one of the four that follow a PUBLISH."""
    kinds: list[tuple[Any, PacketType]] = [
        (PubAck, PacketType.PUBACK),
        (PubRec, PacketType.PUBREC),
        (PubRel, PacketType.PUBREL),
        (PubComp, PacketType.PUBCOMP),
    ]
    given = reasons if version == 5 else st.just(0)
    return st.one_of([st.builds(make, numbers, given, properties(version, kind)) for make, kind in kinds])


def messages(version: int) -> st.SearchStrategy[Packet]:
    """Draw a message of a version."""
    five = version == 5
    flags = bits if five else st.just(False)
    codes = reasons if five else st.sampled_from([0, 1, 2, 0x80])
    code = reasons if five else st.just(0)
    subscription = st.builds(Subscription, topic_filters, qualities, flags, flags, qualities if five else st.just(0))
    drawn: list[st.SearchStrategy[Packet]] = [
        connects(version),
        publishes(version),
        acknowledgements(version),
        st.builds(ConnAck, bits, reasons, properties(version, PacketType.CONNACK)),
        st.builds(
            Subscribe,
            numbers,
            st.lists(subscription, min_size=1, max_size=3).map(tuple),
            properties(version, PacketType.SUBSCRIBE),
        ),
        st.builds(
            SubAck,
            numbers,
            st.lists(codes, min_size=1, max_size=3).map(tuple),
            properties(version, PacketType.SUBACK),
        ),
        st.builds(
            Unsubscribe,
            numbers,
            st.lists(topic_filters, min_size=1, max_size=3).map(tuple),
            properties(version, PacketType.UNSUBSCRIBE),
        ),
        st.builds(
            UnsubAck,
            numbers,
            st.lists(codes, min_size=1, max_size=3).map(tuple) if five else st.just(()),
            properties(version, PacketType.UNSUBACK),
        ),
        st.builds(Disconnect, code, properties(version, PacketType.DISCONNECT)),
        st.sampled_from([Raw(b"\xc0\0"), Raw(b"\xd0\0")]),
    ]
    if five:
        drawn.append(st.builds(Auth, code, properties(version, PacketType.AUTH)))
    return st.one_of(drawn)
