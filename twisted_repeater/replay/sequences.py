"""Which messages of a server are answers, and which come by themselves."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Any

from ..dialects.mqtt.property_codec import PacketType
from ..model import Direction
from .acknowledgements import topic_of
from .decoding import Decoder

__all__ = ["ANSWERS", "Asked", "sequence_of"]

ANSWERS = "answers"
"""The sequence of messages that answer requests in turn."""

PUBLISHED = (b"message", b"pmessage", b"smessage")
"""The first words of what Redis sends to subscribers."""

ARRAYS = tuple(b"*%d\r\n$%d\r\n%s\r\n" % (3 + (word[:1] == b"p"), len(word), word) for word in PUBLISHED)
"""How that begins in RESP2."""

SUBSCRIBES = re.compile(rb"\*(\d{1,6})\r\n\$\d+\r\n[PS]?(?:UN)?SUBSCRIBE\r\n", re.IGNORECASE)
"""A command of Redis that has a reply for each of its arguments."""

ABOUT_SUBSCRIPTION = re.compile(r"push b'[ps]?(?:un)?subscribe'")
"""The sequence of such a reply in RESP3."""

MOST_ASKED = 10_000
"""How many requests wait for their replies."""

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


class Asked:
    """Knows which request of Redis a reply belongs to: one may have sent others since, in a pipeline."""

    def __init__(self) -> None:
        self._requests: deque[tuple[int, bytes]] = deque()
        """The requests, each as often as it has replies."""
        self._first = 0
        """The number of the first one of these."""
        self._replies = [0, 0]
        """How many replies there were, in the recording and now."""

    def add(self, request: tuple[int, bytes]) -> None:
        """Note a request, with its number."""
        found = SUBSCRIBES.match(request[1])
        self._requests.extend([request] * (max(int(found[1]) - 1, 1) if found else 1))
        while self._requests and (len(self._requests) > MOST_ASKED or self._first < min(self._replies)):
            self._requests.popleft()
            self._first += 1

    def request_of(self, which: int, sequence: str) -> tuple[int, bytes] | None:
        """Return the request that a message answers, ``None`` if it is not known.

        Args:
            which: 0 for a recorded message, 1 for one of the replay.
            sequence: the sequence of the message.
        """
        if sequence != ANSWERS and not ABOUT_SUBSCRIPTION.fullmatch(sequence):
            return None
        place = self._replies[which] - self._first
        self._replies[which] += 1
        return self._requests[place] if 0 <= place < len(self._requests) else None
