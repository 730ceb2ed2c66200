"""Decodes the messages of a recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ...dialects import Dialect
from ...errors import FramingError
from ...framings.base import Framing, framing_of
from ...model import Direction, Limits
from ..records import Origin, RecordedMessage

__all__ = ["Decoder"]

LIMITS: Final = Limits(max_frame=2**40)
"""What the repeater accepted is accepted here, too."""


@dataclass(slots=True)
class _Lane:
    """How the messages of one direction of a link are read."""

    framing: Framing
    read: Callable[[bytes], object] | None
    """Returns the message in a payload; ``None`` if messages are payloads."""


class Decoder:
    """Decodes the messages of a recording, as filters saw them.

    Args:
        dialect: their dialect.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._links: dict[int, dict[Direction, _Lane]] = {}

    def decode(self, message: RecordedMessage) -> object:
        """Return the message in a frame.

        Give all frames of a link, in their order: some depend on those before.

        Raises:
            FramingError: the bytes are not one frame.
            Exception: whatever the codec raises, such as `ParseError`.
        """
        lane = self._lanes_of(message.link)[message.direction]
        framing, frame = lane.framing, message.frame
        if framing.find(frame, 0, len(frame)) != len(frame):
            raise FramingError(f"the bytes are not one message of the dialect {self._dialect.name}")
        payload = frame[framing.body : len(frame) - framing.tail]
        if framing.follows:
            framing.taken(frame, 0, len(frame))
        if lane.read is None:
            return payload
        decoded = lane.read(payload)
        self._use_version_of(decoded, message.link)
        return decoded

    def forget(self, link: int) -> None:
        """Forget a link that has ended."""
        self._links.pop(link, None)

    def _lanes_of(self, link: int) -> dict[Direction, _Lane]:
        lanes = self._links.get(link)
        if lanes is None:
            framings = self._dialect.framings(LIMITS)
            to_server, to_client = self._dialect.to_server, self._dialect.to_client
            lanes = self._links[link] = {
                Direction.TO_SERVER: _Lane(framing_of(framings.to_server), to_server.reader(to_server.prod)),
                Direction.TO_CLIENT: _Lane(framing_of(framings.to_client), to_client.reader(to_client.prod)),
            }
        return lanes

    def _use_version_of(self, message: object, link: int) -> None:
        """Note the version that a link speaks, where the first message says it, as in MQTT."""
        version = getattr(message, "version", None)
        if type(version) is not int:
            return
        kinds = {Direction.TO_SERVER: self._dialect.to_server, Direction.TO_CLIENT: self._dialect.to_client}
        for direction, kind in kinds.items():
            if kind.per_link and version in kind.codecs:
                self._links[link][direction].read = kind.reader(version)


def is_message(message: RecordedMessage) -> bool:
    """Return whether a peer has sent a message: only these can be decoded."""
    return message.origin is Origin.MESSAGE
