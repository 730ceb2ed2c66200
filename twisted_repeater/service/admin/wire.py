"""The bytes of a repeater's messages: frames that went out are read, and messages that somebody writes are checked."""

from __future__ import annotations

from typing import Any, Final

from ..._link.link import pair_of
from ...codecs import LEFT_OUT
from ...dialects import Dialect, MessageType
from ...framings.base import Framing, framing_of
from ...link import Link
from ...model import Direction, Limits

__all__ = ["Wire"]

MOST_FRAMES: Final = 100
"""How many frames are read that the repeater has sent because of one message."""


class Wire:
    """Reads and writes what the links of one repeater carry.

    Args:
        dialect: its dialect.
        limits: its limits.
    """

    def __init__(self, dialect: Dialect, limits: Limits) -> None:
        self.dialect: Dialect = dialect
        """The dialect."""
        self._limits = limits
        self._framings: dict[Direction, Framing] | None = None

    def kind(self, direction: Direction) -> MessageType:
        """Return the type of the messages of a direction."""
        return self.dialect.to_server if direction is Direction.TO_SERVER else self.dialect.to_client

    def version(self, link: Link | None, direction: Direction) -> int:
        """Return the version of the messages that a side of a link receives; without a link, the newest."""
        if link is None:
            return self.kind(direction).test
        return pair_of(link).connection(direction.target).outlet.version

    def read(self, link: Link | None, direction: Direction, payload: bytes) -> Any:
        """Return the message of a payload, as filters see it. Raises whatever the codec raises."""
        reader = self.kind(direction).reader(self.version(link, direction))
        return payload if reader is None else reader(payload)

    def messages(self, link: Link, direction: Direction, data: bytes) -> list[Any]:
        """Return the messages in frames that the repeater has sent. Raises whatever framing and codec raise.

        Raises:
            ValueError: the bytes are not frames, or too many.
        """
        framing = self._framing(direction)
        found: list[Any] = []
        start = 0
        while start < len(data):
            stop = framing.find(data, start, len(data))
            if not start < stop <= len(data) or len(found) == MOST_FRAMES:
                raise ValueError("these are not messages, or too many")
            found.append(self.read(link, direction, data[framing.body : stop - framing.tail]))
            start = stop
        return found

    def first_payload(self, direction: Direction, data: bytes) -> bytes:
        """Return the payload of the first of some frames that the repeater has sent; all if that is not known."""
        try:
            framing = self._framing(direction)
            stop = framing.find(data, 0, len(data))
            return data[framing.body : stop - framing.tail] if stop > 0 else data
        except Exception:  # the framing may be of the application
            return data

    def check(self, link: Link | None, direction: Direction, message: Any) -> None:
        """Check that a message can be sent, as one, and can be read. Raises whatever framing and codec raise.

        A peer may read more than one message from the bytes of one that is malformed.

        Raises:
            ValueError: its bytes would be taken for something else.
        """
        payload = self.kind(direction).writer(self.version(link, direction))(message)
        if payload is LEFT_OUT:
            raise ValueError("this message does not exist in the version that the peer speaks")
        framing = self._framing(direction)
        frame = framing.encode(payload)
        if framing.find(frame, 0, len(frame)) != len(frame):
            raise ValueError("the bytes are not exactly one message")
        self.read(link, direction, payload)

    def _framing(self, direction: Direction) -> Framing:
        """Return a framing of its own: those of a link are at work.

        Raises:
            ValueError: frames depend on those before them.
        """
        if self._framings is None:
            framings = self.dialect.framings(self._limits)
            self._framings = dict(zip(Direction, map(framing_of, framings), strict=True))
        framing = self._framings[direction]
        if framing.follows:
            raise ValueError("frames of this dialect cannot be told apart alone")
        return framing
