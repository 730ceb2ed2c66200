"""The codec of one version of MQTT."""

from __future__ import annotations

from ...codecs._typed import TypedCodec
from ...selectors import Selector, first_byte
from .decoding import decode
from .encoding import ENCODERS
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
    UnsubAck,
    Unsubscribe,
)
from .property_codec import PacketType

__all__ = ["VERSIONS", "MqttCodec"]

VERSIONS = (3, 4, 5)
"""The levels of the protocol: MQTT 3.1, 3.1.1, 5."""
TYPES: dict[type, tuple[int, ...]] = {
    Connect: (PacketType.CONNECT,),
    ConnAck: (PacketType.CONNACK,),
    Publish: (PacketType.PUBLISH,),
    PubAck: (PacketType.PUBACK,),
    PubRec: (PacketType.PUBREC,),
    PubRel: (PacketType.PUBREL,),
    PubComp: (PacketType.PUBCOMP,),
    Subscribe: (PacketType.SUBSCRIBE,),
    SubAck: (PacketType.SUBACK,),
    Unsubscribe: (PacketType.UNSUBSCRIBE,),
    UnsubAck: (PacketType.UNSUBACK,),
    Raw: (PacketType.PINGREQ, PacketType.PINGRESP),
    Disconnect: (PacketType.DISCONNECT,),
    Auth: (PacketType.AUTH,),
}
"""The types of packets that decode to a class of message."""


class MqttCodec(TypedCodec[Packet]):
    """Decodes and encodes the packets of one version.

    A packet that the protocol does not allow is a `MalformedPacket`, which ends the link.

    Args:
        version: the level of the protocol: 3 for MQTT 3.1, 4 for 3.1.1, 5.

    Raises:
        ValueError: there is no such version.
    """

    def __init__(self, version: int) -> None:
        if version not in VERSIONS:
            raise ValueError(f"version must be 3, 4 or 5, not {version!r}")
        self.version: int = version
        """The level of the protocol."""
        self.message_types: tuple[type, ...] = tuple(kind for kind in TYPES if version == 5 or kind is not Auth)
        """See `ITypedCodec`."""

    def __repr__(self) -> str:
        return f"MqttCodec({self.version})"

    def decode(self, payload: bytes) -> Packet:
        """See `ICodec`."""
        return decode(payload, self.version)

    def encode(self, message: object) -> bytes:
        """See `ICodec`."""
        for kind in type(message).__mro__:
            encode = ENCODERS.get(kind)
            if encode is not None:
                return encode(message, self.version)
        raise self.wrong_type(message)

    def selector_of_some(self, types: list[type]) -> Selector:
        """See `TypedCodec`. Flags that are not allowed are selected too, so that decoding finds them."""
        kinds = {kind for own in types for kind in TYPES[own]}
        return first_byte(bytes(first for first in range(256) if first >> 4 in kinds))
