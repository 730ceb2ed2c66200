"""The packets of MQTT as typed messages, the same classes in all versions.

They cannot be changed. To alter one, make another: ``Send(replace(publish, topic="other"))``, with
``dataclasses.replace``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TypeAlias

from .properties import NO_PROPERTIES, Properties

__all__ = [
    "Auth",
    "ConnAck",
    "Connect",
    "Disconnect",
    "Packet",
    "PubAck",
    "PubComp",
    "PubRec",
    "PubRel",
    "Publish",
    "Raw",
    "SubAck",
    "Subscribe",
    "Subscription",
    "UnsubAck",
    "Unsubscribe",
    "Will",
]


class _Message:
    """The base of all: a text with the fields that are not as usual."""

    __slots__ = ()

    def __repr__(self) -> str:
        given = ((own, getattr(self, own.name)) for own in fields(self))  # type: ignore[arg-type]
        shown = ", ".join(f"{own.name}={value!r}" for own, value in given if own.repr and value != own.default)
        return f"{type(self).__name__}({shown})"


@dataclass(frozen=True, slots=True, repr=False)
class Will(_Message):
    """What the broker publishes for a client that vanishes."""

    topic: str
    """The topic that it is published to."""
    payload: bytes = b""
    """What is published."""
    qos: int = 0
    """0, 1 or 2."""
    retain: bool = False
    """Whether the broker keeps it for later subscribers."""
    properties: Properties = NO_PROPERTIES
    """Version 5 only."""


@dataclass(frozen=True, slots=True, repr=False)
class Connect(_Message):
    """The first packet of a client."""

    client_id: str
    """Its name; empty if the broker is to choose one."""
    clean_start: bool = True
    """Whether the broker forgets what it has kept for this client: "clean session" before version 5."""
    keep_alive: int = 60
    """The longest time between two packets of the client, in seconds; 0 for no limit."""
    username: str | None = None
    """Who logs in."""
    password: bytes | None = field(default=None, repr=False)
    """The password. Logs do not show it."""
    will: Will | None = None
    """What to publish if the client vanishes."""
    properties: Properties = NO_PROPERTIES
    """Version 5 only."""
    version: int = 4
    """The level of the protocol: 3 for MQTT 3.1, 4 for 3.1.1, 5."""
    bridge: bool = False
    """Whether the client says that it is a broker itself, as mosquitto's bridges do."""


@dataclass(frozen=True, slots=True, repr=False)
class ConnAck(_Message):
    """The broker's answer to a `Connect`."""

    session_present: bool = False
    """Whether the broker goes on with an earlier session."""
    reason: int = 0
    """0 if the client is accepted. Versions before 5 have other codes than `Reason`: 1 to 5."""
    properties: Properties = NO_PROPERTIES
    """Version 5 only."""


@dataclass(frozen=True, slots=True, repr=False)
class Publish(_Message):
    """A message to a topic, in either direction."""

    topic: str
    """The topic; empty in version 5 if a topic alias stands for it."""
    payload: bytes = b""
    """What is published."""
    qos: int = 0
    """0, 1 or 2: at most once, at least once, exactly once."""
    retain: bool = False
    """Whether the broker is to keep it, or has kept it, for later subscribers."""
    packet_id: int | None = None
    """Its number, 1 to 65535, among those of its sender that wait for an acknowledgement; ``None`` with QoS 0."""
    dup: bool = False
    """Whether it may have been sent before."""
    properties: Properties = NO_PROPERTIES
    """Version 5 only."""


@dataclass(frozen=True, slots=True, repr=False)
class PubAck(_Message):
    """Acknowledges a `Publish` with QoS 1."""

    packet_id: int
    """The number of the `Publish`."""
    reason: int = 0
    """Version 5 only: a `Reason`, of 0x80 or above if it failed."""
    properties: Properties = NO_PROPERTIES
    """Version 5 only."""


@dataclass(frozen=True, slots=True, repr=False)
class PubRec(_Message):
    """Acknowledges a `Publish` with QoS 2. It ends the exchange if its reason is 0x80 or above."""

    packet_id: int
    """The number of the `Publish`."""
    reason: int = 0
    """Version 5 only: a `Reason`, of 0x80 or above if it failed."""
    properties: Properties = NO_PROPERTIES
    """Version 5 only."""


@dataclass(frozen=True, slots=True, repr=False)
class PubRel(_Message):
    """Releases a `Publish` with QoS 2, as the answer to `PubRec`."""

    packet_id: int
    """The number of the `Publish`."""
    reason: int = 0
    """Version 5 only: 0, or 0x92 if the number is not known."""
    properties: Properties = NO_PROPERTIES
    """Version 5 only."""


@dataclass(frozen=True, slots=True, repr=False)
class PubComp(_Message):
    """Ends the exchange of a `Publish` with QoS 2, as the answer to `PubRel`."""

    packet_id: int
    """The number of the `Publish`."""
    reason: int = 0
    """Version 5 only: 0, or 0x92 if the number is not known."""
    properties: Properties = NO_PROPERTIES
    """Version 5 only."""


@dataclass(frozen=True, slots=True, repr=False)
class Subscription(_Message):
    """One of the topics of a `Subscribe`."""

    topic_filter: str
    """A topic, which may have the wildcards ``+`` and ``#``, and begin with ``$share/group/``."""
    qos: int = 0
    """The highest QoS of what the client gets."""
    no_local: bool = False
    """Version 5 only: whether the client does not get what it has published itself."""
    retain_as_published: bool = False
    """Version 5 only: whether `Publish.retain` stays as the publisher has set it."""
    retain_handling: int = 0
    """Version 5 only. When the client gets kept messages: 0 always, 1 if the subscription is new, 2 never."""


@dataclass(frozen=True, slots=True, repr=False)
class Subscribe(_Message):
    """A client wants what is published to some topics."""

    packet_id: int
    """Its number, among those of this client."""
    subscriptions: tuple[Subscription, ...]
    """What it subscribes to, at least one."""
    properties: Properties = NO_PROPERTIES
    """Version 5 only."""


@dataclass(frozen=True, slots=True, repr=False)
class SubAck(_Message):
    """The answer to a `Subscribe`."""

    packet_id: int
    """The number of the `Subscribe`."""
    reasons: tuple[int, ...]
    """One for each subscription, in order: the granted QoS, or 0x80 or above if it is refused (only 0x80 before
    version 5)."""
    properties: Properties = NO_PROPERTIES
    """Version 5 only."""


@dataclass(frozen=True, slots=True, repr=False)
class Unsubscribe(_Message):
    """A client no longer wants what is published to some topics."""

    packet_id: int
    """Its number, among those of this client."""
    topic_filters: tuple[str, ...]
    """Which subscriptions end, at least one."""
    properties: Properties = NO_PROPERTIES
    """Version 5 only."""


@dataclass(frozen=True, slots=True, repr=False)
class UnsubAck(_Message):
    """The answer to an `Unsubscribe`."""

    packet_id: int
    """The number of the `Unsubscribe`."""
    reasons: tuple[int, ...] = ()
    """Version 5 only: one for each topic filter, in order."""
    properties: Properties = NO_PROPERTIES
    """Version 5 only."""


@dataclass(frozen=True, slots=True, repr=False)
class Disconnect(_Message):
    """The sender ends the connection. Brokers send it in version 5 only."""

    reason: int = 0
    """Version 5 only: a `Reason`. With 0 the broker forgets the will, with 0x04 it publishes it."""
    properties: Properties = NO_PROPERTIES
    """Version 5 only."""


@dataclass(frozen=True, slots=True, repr=False)
class Auth(_Message):
    """A step of a login that takes several; version 5 only."""

    reason: int = 0
    """0 for success, 0x18 to go on, 0x19 to log in again."""
    properties: Properties = NO_PROPERTIES
    """The method and its data."""


@dataclass(frozen=True, slots=True, repr=False)
class Raw(_Message):
    """Any other packet: a ping, or the answer to one. As a message to send, any packet at all."""

    data: bytes
    """The whole packet."""


Packet: TypeAlias = (
    Connect
    | ConnAck
    | Publish
    | PubAck
    | PubRec
    | PubRel
    | PubComp
    | Subscribe
    | SubAck
    | Unsubscribe
    | UnsubAck
    | Disconnect
    | Auth
    | Raw
)
"""Any message of this dialect."""
