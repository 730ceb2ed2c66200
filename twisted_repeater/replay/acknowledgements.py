"""The acknowledgements of a client of MQTT, which a replay sends as soon as their messages have come.

A broker chooses the packet ids of what it publishes, and it publishes only so many messages at once that are not
acknowledged. Both depend on the order of publications, which is chance where several clients publish. So a recorded
acknowledgement does not wait for its turn. It is sent, with another packet id, when as many messages have come as had
been acknowledged in the same way before it.
"""

from __future__ import annotations

from collections import deque

from ..dialects.mqtt.property_codec import PacketType

__all__ = ["Acknowledgements", "topic_of", "without_id"]

BY_CLIENT = frozenset((PacketType.PUBACK, PacketType.PUBREC, PacketType.PUBCOMP))
"""What a client says about a message that a broker has published."""

BY_QOS = {1: PacketType.PUBACK, 2: PacketType.PUBREC}
"""How a message is acknowledged."""

MOST_WAITING = 65_535
"""How many messages and acknowledgements of a type wait for each other: as many as there are packet ids."""


class Acknowledgements:
    """The acknowledgements of one link."""

    def __init__(self) -> None:
        self._came = {kind: deque[bytes](maxlen=MOST_WAITING) for kind in BY_CLIENT}
        """The packet ids of messages that have come, by the type of packet that acknowledges them."""
        self._recorded = {kind: deque[bytes](maxlen=MOST_WAITING) for kind in BY_CLIENT}
        """The recorded acknowledgements whose messages have not come."""

    @property
    def unsent(self) -> int:
        """How many acknowledgements were not sent so far, because their messages have not come."""
        return sum(map(len, self._recorded.values()))

    def send(self, frame: bytes) -> bytes:
        """Accept a recorded acknowledgement. Return what to send now, which may be nothing."""
        kind = PacketType(frame[0] >> 4)
        self._recorded[kind].append(frame)
        return self._next(kind)

    def answer(self, frame: bytes) -> bytes:
        """Accept a packet of the broker that has come now. Return what to send now, which may be nothing."""
        at = _place_of(frame)
        if not at:
            return b""
        kind = PacketType.PUBCOMP if frame[0] >> 4 == PacketType.PUBREL else BY_QOS.get(frame[0] >> 1 & 3)
        if kind is None:
            return b""
        self._came[kind].append(frame[at : at + 2])
        return self._next(kind)

    def _next(self, kind: PacketType) -> bytes:
        came, recorded = self._came[kind], self._recorded[kind]
        if not (came and recorded):
            return b""
        frame = recorded.popleft()
        at = _body_of(frame)
        return frame[:at] + came.popleft() + frame[at + 2 :]


def is_acknowledgement(frame: bytes) -> bool:
    """Return whether a packet of a client acknowledges what a broker has published."""
    return frame[:1] != b"" and frame[0] >> 4 in BY_CLIENT


def is_publication(frame: bytes) -> bool:
    """Return whether a packet publishes what a broker does not keep: others may see it before or after another."""
    return frame[:1] != b"" and frame[0] >> 4 == PacketType.PUBLISH and not frame[0] & 1


def without_id(frame: bytes) -> bytes:
    """Return a packet of a broker without its packet id, if the broker has chosen that."""
    at = _place_of(frame)
    return frame[:at] + b"\0\0" + frame[at + 2 :] if at else frame


def topic_of(frame: bytes) -> bytes:
    """Return the topic of a PUBLISH packet."""
    start = _body_of(frame) + 2
    return frame[start : start + int.from_bytes(frame[start - 2 : start], "big")]


def _place_of(frame: bytes) -> int:
    """Return where a packet of a broker has a packet id that the broker has chosen; 0 if it has none."""
    kind = frame[0] >> 4 if frame else 0
    at = _body_of(frame)
    if kind == PacketType.PUBLISH and frame[0] & 6:
        at += 2 + int.from_bytes(frame[at : at + 2], "big")
    elif kind != PacketType.PUBREL:
        return 0
    return at if at + 2 <= len(frame) else 0


def _body_of(frame: bytes) -> int:
    """Return where a packet begins after its type and its length."""
    at = 1
    while at < len(frame) and frame[at] & 0x80:
        at += 1
    return at + 1
