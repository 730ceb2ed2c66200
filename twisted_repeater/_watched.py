# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""A message as watchers see it. One is made for each message of a watched link.

Compiled where a compiler was found at installation, with the types of ``_watched.pxd``.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from .codecs import LEFT_OUT
from .model import Direction

if TYPE_CHECKING:
    from .link import Link
    from .verdicts import Verdict

__all__ = ["Origin", "WatchedMessage"]


class Origin(Enum):
    """Where the bytes of a `WatchedMessage` come from."""

    MESSAGE = "message"
    """A peer sent a message on a link that is made, and a lane decided about it."""
    OPENING = "opening"
    """An opening read or sent the bytes while the link was being made, or they are the last words to a client that
    could not be linked."""
    OWN = "own"
    """The application or the dialect sent the message by itself, and it went through no filter. Or a fault has held it
    so that others overtake it, and sends it now."""


class WatchedMessage:
    """A message, the verdict on it, and the bytes that went out because of it."""

    def __init__(
        self,
        link: Link,
        direction: Direction,
        time: float,
        *,
        origin: Origin = Origin.MESSAGE,
        number: int = 0,
        frame: bytes = b"",
        payload: bytes = b"",
        verdict: Verdict | None = None,
        by_filter: bool = False,
        took: float = 0.0,
        passed: bool = False,
        forward: bytes = b"",
        back: bytes = b"",
        message: object = None,
        decode: Callable[[bytes], object] | None = None,
    ) -> None:
        self.link: Link = link
        """Its link. As long as that is being made, it may have no name yet."""
        self.direction: Direction = direction
        """Which way it travels."""
        self.time: float = time
        """When it was found, or sent, in seconds since 1970. Later messages never have an earlier time."""
        self.origin: Origin = origin
        """Where it comes from."""
        self.number: int = number
        """How many messages of its direction and link came up to this one; 0 unless the origin is MESSAGE."""
        self.frame: bytes = frame
        """The bytes that a peer sent, header included; empty if no peer did."""
        self.payload: bytes = payload
        """The frame without its header, as codecs get it."""
        self.verdict: Verdict | None = verdict
        """The verdict; ``None`` unless the origin is MESSAGE, and if the link ended before the verdict was there."""
        self.by_filter: bool = by_filter
        """Whether the verdict is a filter's. It is not if no filter wanted the message, if the message could not be
        decoded, or if the filter failed."""
        self.took: float = took
        """How many seconds the verdict took."""
        self.passed: bool = passed
        """Whether the frame itself went on, as it came."""
        self.forward: bytes = forward
        """The bytes that the repeater made and sent on, after the frame or instead of it."""
        self.back: bytes = back
        """The bytes that the repeater made and sent back to the sender."""
        self._message = message
        self._decode = decode

    @property
    def message(self) -> Any:
        """The message as filters see it; ``None`` if it cannot be decoded, and if the origin is not MESSAGE.

        It is the object that the filter got, if a filter looked at it. Do not change it.
        """
        if self._message is None and self._decode is not None:
            decode, self._decode = self._decode, None
            try:
                message = decode(self.payload)
            except Exception:
                return None
            self._message = None if message is LEFT_OUT else message
        return self._message

    @property
    def to_server(self) -> bytes:
        """The bytes that went to the server because of it."""
        return self._out() if self.direction is Direction.TO_SERVER else self.back

    @property
    def to_client(self) -> bytes:
        """The bytes that went to the client because of it."""
        return self._out() if self.direction is Direction.TO_CLIENT else self.back

    def _out(self) -> bytes:
        return self.frame + self.forward if self.passed else self.forward

    def __repr__(self) -> str:
        return (
            f"<{self.origin.value} {self.number} {self.direction.value} of {self.link.client_name!r}: "
            f"{len(self.frame)} bytes, {self.verdict!r}>"
        )
