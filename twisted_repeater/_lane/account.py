"""What a watched lane tells about each message: when it was asked about, its frame, its verdict, and what went out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ..verdicts import PASS_ON, Verdict
from ..watching import WatchedMessage

if TYPE_CHECKING:
    from .lane import Lane
    from .output import Output

__all__ = ["Account", "LaneWatch"]


class LaneWatch(Protocol):
    """Sees the messages of watched lanes."""

    def now(self) -> float:
        """Return the time, which never goes back."""

    def message_watched(self, message: WatchedMessage) -> None:
        """A message was decided about, and the verdict was carried out. Must not raise."""


class Account:
    """Keeps what is to be told about the present message of one lane.

    While there is one, the output of the lane notes the frames that are made.
    """

    __slots__ = ("_asked", "_decode", "_frame", "_lane", "_output", "_payload", "_watch")

    def __init__(self, lane: Lane, output: Output, watch: LaneWatch, decode: Callable[[bytes], object] | None) -> None:
        self._lane = lane
        self._output = output
        self._watch = watch
        self._decode = decode
        self._asked = 0.0
        self._payload = b""
        self._frame = b""

    def begin(self, payload: bytes) -> None:
        """A message was found, and the filter will be asked if it wants it."""
        self._asked = self._watch.now()
        self._payload = payload

    def take(self, pieces: list[bytes] | None, last: bytes) -> None:
        """Keep the frame, which came in pieces perhaps."""
        self._frame = b"".join([*pieces, last]) if pieces else last

    def tell(self, verdict: Verdict | None, by_filter: bool, message: object, passed: bool) -> None:
        """Tell what became of the message. ``verdict`` is ``None`` if it never came."""
        output, payload, lane = self._output, self._payload, self._lane
        forward, back = (b"", b"") if passed and verdict is PASS_ON else output.noted()
        self._watch.message_watched(
            WatchedMessage(
                lane.link,  # type: ignore[arg-type]
                lane.direction,
                self._asked,
                number=lane.messages,
                frame=self._frame,
                payload=payload,
                verdict=verdict,
                by_filter=by_filter,
                took=self._watch.now() - self._asked,
                passed=passed,
                forward=forward,
                back=back,
                message=payload if self._decode is None else None if message is payload else message,
                decode=self._decode,
            )
        )
        self._frame = self._payload = b""
