"""What the filters of one link know together: both directions, and what the peers have agreed on."""

from __future__ import annotations

from dataclasses import replace

from .codec import MqttCodec
from .keep_alive import KeepAlive
from .messages import ConnAck, Connect, Publish
from .packet_ids import HIGHEST
from .properties import Property
from .publishing import Publishing
from .reasons import Reason
from .requests import Requests

__all__ = ["Session"]


class Session:
    """The state of one link.

    Args:
        connect: the client's first packet.
    """

    __slots__ = (
        "_codec",
        "early",
        "is_whole",
        "keep_alive",
        "refused",
        "refused_subscription",
        "requests",
        "to_client",
        "to_server",
    )

    def __init__(self, connect: Connect) -> None:
        self._codec = MqttCodec(connect.version)
        self.is_whole: bool = False
        """Whether the filters have seen the CONNECT: not if they were loaded later. Then nobody knows which aliases
        were given before, nor how many the broker allows."""
        self.early: list[object] | None = None
        """Answers to what the client has said before its CONNACK, which must be the first packet that it gets."""
        self.to_server: Publishing = Publishing()
        """What the client publishes."""
        self.to_client: Publishing = Publishing()
        """What the broker delivers."""
        self.requests: Requests = Requests()
        """The client's requests that are refused in part."""
        self.keep_alive: KeepAlive = KeepAlive(connect.keep_alive)
        """Pings for the broker."""
        newest = connect.version == 5
        self.refused: int = Reason.NOT_AUTHORIZED if newest else 0
        """The reason in the answer to a message that is refused; versions before 5 have none."""
        self.refused_subscription: int = Reason.NOT_AUTHORIZED if newest else 0x80
        """The code in the answer to a subscription that is refused."""
        self.connecting(connect)
        self.to_server.aliases.limit = HIGHEST

    @property
    def version(self) -> int:
        """The version of the link."""
        return self._codec.version

    def connecting(self, connect: Connect) -> None:
        """The broker gets this CONNECT."""
        self.keep_alive.seconds = connect.keep_alive
        self.to_server.aliases.limit = 0
        _limit(self.to_client, connect)

    def accepted(self, answer: ConnAck) -> None:
        """The broker has accepted the client."""
        self.keep_alive.seconds = answer.properties.get(Property.SERVER_KEEP_ALIVE, self.keep_alive.seconds)
        _limit(self.to_server, answer)

    def fitted(self, publish: Publish, most: int | None) -> Publish | None:
        """Return a message in a packet of at most this size, without its user properties if need be, or ``None``."""
        if most is None or self._size(publish) <= most:
            return publish
        shorter = replace(publish, properties=publish.properties.without(Property.USER_PROPERTY))
        return shorter if self._size(shorter) <= most else None

    def _size(self, publish: Publish) -> int:
        """Return the size of the packet of a message, whatever number it will have."""
        return len(self._codec.encode(replace(publish, packet_id=1 if publish.qos else None)))


def _limit(direction: Publishing, packet: Connect | ConnAck) -> None:
    """Note what the receiver of a direction allows."""
    properties = packet.properties
    direction.receive_maximum = properties.get(Property.RECEIVE_MAXIMUM, HIGHEST)
    direction.aliases.limit = properties.get(Property.TOPIC_ALIAS_MAXIMUM, 0)
    direction.max_packet = properties.get(Property.MAXIMUM_PACKET_SIZE)
