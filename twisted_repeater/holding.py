"""What a holder sees: a message that it may hold, before it goes on. `Repeater.hold` makes somebody a holder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from .link import Link
    from .model import Direction
    from .verdicts import Verdict

__all__ = ["HeldMessage", "Holder"]


class HeldMessage:
    """A message that goes on unless it is held; the application's filters have passed it on, or made it.

    Attributes:
        link: its link.
        direction: which way it travels.
        time: when it came to the holder, in seconds since 1970.
        message: the message as filters see it. Do not change it.
    """

    __slots__ = ("_behind", "_decode", "_encode", "_payload", "direction", "link", "message", "time")

    def __init__(
        self,
        link: Link,
        direction: Direction,
        time: float,
        message: Any,
        *,
        payload: bytes | None,
        decode: Callable[[bytes], Any] | None,
        encode: Callable[[Any], bytes] | None,
        behind: Callable[[], int],
    ) -> None:
        self.link: Link = link
        self.direction: Direction = direction
        self.time: float = time
        self.message: Any = message
        self._payload = payload
        self._decode = decode
        self._encode = encode
        self._behind = behind

    @property
    def payload(self) -> bytes:
        """Its bytes, without the header of its frame.

        Raises:
            Exception: a filter has made the message, and it cannot be encoded.
        """
        if self._payload is None:
            self._payload = self.encode(self.message)
        return self._payload

    @property
    def behind(self) -> int:
        """How many bytes of its direction were received after it, and wait behind it now."""
        return self._behind()

    def decode(self, payload: bytes) -> Any:
        """Return another message of this link and direction, as filters see it.

        Args:
            payload: its bytes, without the header of a frame.

        Raises:
            ParseError: the payload is not a message. A codec of the application may raise others.
        """
        return payload if self._decode is None else self._decode(payload)

    def encode(self, message: Any) -> bytes:
        """Return the payload of another message of this link and direction.

        Raises:
            MarshalingError: it cannot be encoded. A codec of the application may raise others.
        """
        return bytes(message) if self._encode is None else self._encode(message)


Holder: TypeAlias = "Callable[[HeldMessage], Deferred[Verdict] | None]"
"""A function of a `HeldMessage`. It returns ``None`` to let the message go on, or a Deferred of what becomes of it:
`PASS_ON`, `DROP`, ``Send(another)`` or ``SendBack([answer])``."""
