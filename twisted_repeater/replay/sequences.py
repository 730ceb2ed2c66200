"""Which messages of a server are answers, and which come by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..dialects.mqtt.property_codec import PacketType
from ..model import Direction
from .acknowledgements import topic_of
from .decoding import Decoder

__all__ = ["ANSWERS", "sequence_of"]

ANSWERS = "answers"
"""The sequence of messages that answer requests in turn."""

PUBLISHED = (b"message", b"pmessage", b"smessage")
"""The first words of what Redis sends to subscribers."""

ARRAYS = tuple(b"*%d\r\n$%d\r\n%s\r\n" % (3 + (word[:1] == b"p"), len(word), word) for word in PUBLISHED)
"""How that begins in RESP2."""

SESSION_FIX = (b"0", b"1", b"2", b"3", b"4", b"5")
"""The messages of FIX that belong to the session: heartbeats, test requests, and others."""


def _of_redis(frame: bytes, decoder: Decoder) -> str:
    """Return the sequence of a reply: pushes and what is published, by channel, come by themselves."""
    if frame[:1] != b">" and not frame.startswith(ARRAYS):
        return ANSWERS
    value: Any = decoder.decoded(frame, Direction.TO_CLIENT)[0].value
    if not isinstance(value, list) or value[0] not in PUBLISHED:
        return f"push {value[0]!r}" if frame[:1] == b">" else ANSWERS
    return f"{value[0]!r} {value[1]!r}"


def _of_mqtt(frame: bytes, decoder: Decoder) -> str:
    """Return the sequence of a packet: its type, and its topic. Acknowledgements may change places, too."""
    kind = frame[0] >> 4
    return f"publish {topic_of(frame)!r}" if kind == PacketType.PUBLISH else f"type {kind}"


def _of_postgres(frame: bytes, decoder: Decoder) -> str:
    return f"type {frame[:1]!r}" if frame[:1] in (b"N", b"S", b"A") else ANSWERS


def _of_fix(frame: bytes, decoder: Decoder) -> str:
    """Return the sequence of a message: a heartbeat may come between any two others."""
    start = frame.find(b"\x0135=") + 4
    kind = frame[start : frame.find(b"\1", start)]
    return f"type {kind!r}" if kind in SESSION_FIX else ANSWERS


SEQUENCES: dict[str, Callable[[bytes, Decoder], str]] = {
    "fix": _of_fix,
    "mqtt": _of_mqtt,
    "postgres": _of_postgres,
    "redis": _of_redis,
}
"""The functions of ready dialects. In others, all messages are answers."""


def sequence_of(dialect: str, frame: bytes, decoder: Decoder) -> str:
    """Return the name of the sequence that a message of a server belongs to.

    Args:
        dialect: the name of the dialect.
        frame: the message.
        decoder: reads it.
    """
    find = SEQUENCES.get(dialect)
    if find is None or not frame:
        return ANSWERS
    try:
        return find(frame, decoder)
    except KeyboardInterrupt:
        raise
    except BaseException:  # the code of a dialect, on bytes that somebody else has chosen
        return ANSWERS
