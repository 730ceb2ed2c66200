"""Decodes the messages of a recording."""

from __future__ import annotations

from typing import Final

from ...dialects import Dialect, MessageType
from ...errors import FramingError
from ...framings.base import Framing, framing_of
from ...model import Direction, Limits
from ..records import RecordedMessage

__all__ = ["Decoder"]

LIMITS: Final = Limits(max_frame=2**40)
"""What the repeater accepted is accepted here, too."""


class Decoder:
    """Decodes the messages of a recording, as filters saw them.

    Args:
        dialect: their dialect.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._links: dict[int, _Link] = {}

    def decode(self, message: RecordedMessage) -> object:
        """Return the message in a frame.

        Give all frames of a link, in their order: some depend on those before.

        Raises:
            FramingError: the bytes are not one frame.
            Exception: whatever the codec raises, such as `ParseError`.
        """
        link = self._links.get(message.link)
        if link is None:
            link = self._links[message.link] = _Link(self._dialect)
        return link.decode(message.direction, message.frame)

    def forget(self, link: int) -> None:
        """Forget a link that has ended."""
        self._links.pop(link, None)


class _Link:
    """What is known about one link.

    Where each link has its own version, a recording does not say which. So versions are tried, first the one that could
    read the last message.
    """

    def __init__(self, dialect: Dialect) -> None:
        framings = dialect.framings(LIMITS)
        self._name = dialect.name
        self._framings = {
            Direction.TO_SERVER: framing_of(framings.to_server),
            Direction.TO_CLIENT: framing_of(framings.to_client),
        }
        self._kinds = {Direction.TO_SERVER: dialect.to_server, Direction.TO_CLIENT: dialect.to_client}
        self._readers = {direction: kind.reader(kind.prod) for direction, kind in self._kinds.items()}

    def decode(self, direction: Direction, frame: bytes) -> object:
        """Return the message in a frame."""
        payload = self._payload(self._framings[direction], frame)
        reader = self._readers[direction]
        try:
            return payload if reader is None else reader(payload)
        except Exception:
            if not self._kinds[direction].per_link:
                raise
            return self._in_another_version(direction, payload, self._kinds[direction])

    def _payload(self, framing: Framing, frame: bytes) -> bytes:
        if not frame or framing.find(frame, 0, len(frame)) != len(frame):
            raise FramingError(f"the bytes are not one message of the dialect {self._name}")
        payload = frame[framing.body : len(frame) - framing.tail]
        if framing.follows:
            framing.taken(frame, 0, len(frame))
        return payload

    def _in_another_version(self, direction: Direction, payload: bytes, kind: MessageType) -> object:
        """Return the message in the first version that can read it, and keep that; else raise the first error."""
        errors = []
        for version in sorted(kind.codecs, reverse=True):
            reader = kind.reader(version)
            try:
                message = reader(payload) if reader else payload
            except Exception as error:
                errors.append(error)
                continue
            for each, other in self._kinds.items():
                if version in other.codecs:
                    self._readers[each] = other.reader(version)
            return message
        raise errors[0]
