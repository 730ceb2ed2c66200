"""The dialect ``mqtt``: MQTT 3.1, 3.1.1 and 5, with typed messages."""

from .answering import answered
from .codec import MqttCodec
from .dialect import mqtt
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
from .properties import NO_PROPERTIES, Properties, Property, PropertyValue
from .reasons import Reason
from .topics import Topics
from .wire import MalformedPacket

__all__ = [
    "NO_PROPERTIES",
    "Auth",
    "ConnAck",
    "Connect",
    "Disconnect",
    "MalformedPacket",
    "MqttCodec",
    "Packet",
    "Properties",
    "Property",
    "PropertyValue",
    "PubAck",
    "PubComp",
    "PubRec",
    "PubRel",
    "Publish",
    "Raw",
    "Reason",
    "SubAck",
    "Subscribe",
    "Subscription",
    "Topics",
    "UnsubAck",
    "Unsubscribe",
    "Will",
    "answered",
    "mqtt",
]
