# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""What a watched lane tells about each message: when it was asked about, its frame, its verdict, and what went out.

Compiled where a compiler was found at installation, with the types of ``account.pxd``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from .._watched import WatchedMessage
from ..verdicts import PASS_ON, Verdict
from .output import Output
from .reader import Reader

if TYPE_CHECKING:
    from .setup import LaneSetup

__all__ = ["Account", "LaneWatch", "WatchClock"]


class WatchClock:
    """Gives the time of messages, which never goes back. ``seconds`` is a clock."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._last = self._shift = 0.0

    def now(self) -> float:
        """Return the time. If the clock is set back, this goes on from where it was."""
        time = self._seconds() + self._shift
        if time < self._last:
            self._shift += self._last - time
            time = self._last
        self._last = time
        return time


class LaneWatch(Protocol):
    """Sees the messages of watched lanes."""

    @property
    def clock(self) -> WatchClock:
        """The clock of all messages."""

    def message_watched(self, message: WatchedMessage) -> None:
        """A message was decided about, and the verdict was carried out. Must not raise."""


class Account:
    """Keeps what is to be told about the present message of one lane, with such a setup.

    While there is one, the output of the lane notes the frames that are made.
    """

    def __init__(self, link: Any, setup: LaneSetup, watch: LaneWatch, reader: Reader, output: Output) -> None:
        self._link = link
        self._direction = setup.direction
        self._decode = setup.decode
        self._reader = reader
        self._output = output
        self._clock = watch.clock
        self._tell = watch.message_watched
        self._asked = 0.0
        self._payload = b""
        self._frame = b""

    def begin(self, payload: bytes) -> None:
        """A message was found, and the filter will be asked if it wants it."""
        self._asked = self._clock.now()
        self._payload = payload

    def take(self, frame: bytes) -> None:
        """Keep the frame."""
        self._frame = frame

    def tell(self, verdict: Verdict | None, by_filter: bool, message: object, passed: bool) -> None:
        """Tell what became of the message. ``verdict`` is ``None`` if it never came."""
        payload = self._payload
        told = WatchedMessage(self._link, self._direction, self._asked)
        told.number = self._reader.messages
        told.frame, told.payload = self._frame, payload
        told.verdict, told.by_filter, told.passed = verdict, by_filter, passed
        told.took = self._clock.now() - self._asked
        if not passed or verdict is not PASS_ON:
            told.forward, told.back = self._output.noted()
        if self._decode is None:
            told._message = payload
        else:
            told._message, told._decode = None if message is payload else message, self._decode
        self._frame = self._payload = b""
        self._tell(told)
