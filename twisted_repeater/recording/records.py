"""What a recording holds: links, messages, and gaps where messages were left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..model import Direction
from ..watching import Origin

__all__ = ["Origin", "RecordedGap", "RecordedLink", "RecordedMessage", "RecordingError"]


class RecordingError(ValueError):
    """A file is not a recording that this version can read or go on with."""


@dataclass(slots=True, kw_only=True)
class RecordedLink:
    """A link of a recording, or a client that was refused. Times are microseconds since 1970."""

    id: int
    """The number of the link in this file."""
    link: int
    """The number that the repeater gave it, `ILink.id`."""
    client_name: str = ""
    """The last name that the client had."""
    client_address: str = ""
    """Where the client connected from."""
    server_name: str = ""
    """The name of the server."""
    server_address: str = ""
    """Where the server was."""
    made: int | None = None
    """When the link was made; ``None`` for a refused client, and for a link that is older than the recording."""
    ended: int | None = None
    """When the link ended or the client was refused; ``None`` if neither was recorded."""
    reason: str | None = None
    """The error that ended the link; ``None`` if there was none, or if no end was recorded."""
    refused: str | None = None
    """Why no link was made; ``None`` if one was."""
    details: Mapping[str, object] = field(default_factory=dict)
    """Facts about the client, as `ILink.details` had them."""


@dataclass(slots=True, kw_only=True)
class RecordedMessage:
    """A message of a recording, with what became of it. Times are microseconds."""

    id: int
    """The number of the message in this file."""
    link: int
    """The link that it belongs to: `RecordedLink.id`."""
    time: int
    """When it came, or was sent: since 1970."""
    direction: Direction
    """Which way it travelled."""
    origin: Origin = Origin.MESSAGE
    """Where it came from."""
    number: int = 0
    """Which message of its direction of its link it was, from 1; 0 if nobody sent it as a message."""
    frame: bytes = b""
    """The bytes that a peer sent, as they came."""
    passed: bool = False
    """Whether these bytes went on."""
    forward: bytes = b""
    """What the repeater sent to the other side, after or instead of these bytes."""
    back: bytes = b""
    """What the repeater sent back."""
    verdict: str | None = None
    """The name of the verdict, such as ``PASS_ON`` or ``Send``; ``None`` if there was none."""
    by_filter: bool = False
    """Whether a filter decided."""
    took: int = 0
    """How long the verdict took."""

    @property
    def to_server(self) -> bytes:
        """All bytes that went to the server because of this message."""
        return self._onward if self.direction is Direction.TO_SERVER else self.back

    @property
    def to_client(self) -> bytes:
        """All bytes that went to the client because of this message."""
        return self.back if self.direction is Direction.TO_SERVER else self._onward

    @property
    def _onward(self) -> bytes:
        return self.frame + self.forward if self.passed else self.forward


@dataclass(slots=True, kw_only=True)
class RecordedGap:
    """A place where messages were left out. Times are microseconds since 1970."""

    after: int
    """The number of the last message before the gap: `RecordedMessage.id`, or 0."""
    began: int
    """When the first message was left out."""
    ended: int
    """When the last one was."""
    left_out: int
    """How many messages were left out."""
    reason: str
    """Why, such as ``the disk is full``."""
