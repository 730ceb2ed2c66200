"""A framing that is being tried: calls it, complains where a call goes wrong that must not, finds its own limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..._lane.lane import Lane
from ..._lane.setup import LaneSetup
from ..._types import FramingObject
from ...errors import FramingError, MarshalingError
from ...framings.base import framing_of
from ...verdicts import PASS_ON
from ._conformance import Tried, start_of, told

__all__ = ["BIG", "LARGE", "TriedFraming", "through_a_lane"]

LARGE = 64 * 1024
"""How long a payload is that a framing is tried with, as far as its limit allows."""

BIG = 64 * 1024 * 1024
"""Limits above this are not tried with a payload of that size."""


class TriedFraming(Tried):
    """A framing, the payloads that it must carry, and its limit."""

    def __init__(self, framing: FramingObject, payloads: Sequence[bytes], max_frame: int) -> None:
        super().__init__(framing)
        self.framing = framing
        self.payloads = payloads
        self.max_frame = max_frame

    def encode(self, payload: bytes) -> bytes:
        """Make a frame."""
        return self.encoded(payload, f"a payload of {len(payload)} bytes, {start_of(payload)}")

    def find(self, data: bytes, start: int, end: int, what: str) -> tuple[int, int]:
        """Find a good frame. Gives its end and where its body begins."""
        try:
            stop = self.framing.find(data, start, end)
        except Exception as error:
            self.complain(f"find raised {told(error)} for {what}")
        return stop, self.framing.body

    def payload_of(self, frame: bytes, what: str) -> bytes:
        """Read a whole frame."""
        stop, body = self.find(frame, 0, len(frame), what)
        if stop != len(frame):
            self.complain(f"find gave {stop} for {what}, which ends at {len(frame)}")
        return frame[body:stop]

    def header(self, payload: bytes) -> bytes:
        """Return what stands before a payload in its frame."""
        frame = self.encode(payload)
        _, body = self.find(frame, 0, len(frame), "a frame")
        return frame[:body]

    def sized(self, size: int) -> bytes:
        """Make a payload of this size, out of one that is known to work."""
        pattern = max(self.payloads, key=len, default=b"") or b"x"
        return (pattern * (size // len(pattern) + 1))[:size]

    def wire_limit(self) -> int:
        """Return the longest payload that the framing can carry: ``max_frame``, or less where its wire has no room."""
        least, most = 0, self.max_frame if self.max_frame <= BIG else LARGE
        if not self._too_long(most):
            return self.max_frame
        while most - least > 1:
            middle = (least + most) // 2
            least, most = (least, middle) if self._too_long(middle) else (middle, most)
        return least

    def _too_long(self, size: int) -> bool:
        """Return whether payloads of this size are refused, whatever they are made of."""
        for payload in (self.sized(size), bytes(size), b"x" * size):
            try:
                self.framing.encode(payload)
            except MarshalingError:
                continue
            except Exception:  # complained about when it is tried
                pass
            return False
        return True


class _LaneEnds:
    """Both outlets and the host of a lane that is tried."""

    full = crowded = False

    def __init__(self) -> None:
        self.passed: list[bytes] = []
        self.error: FramingError | None = None

    def push(self, pieces: list[bytes]) -> None:
        """See `LaneOutlet`."""
        self.passed += pieces

    def lane_flowing(self, lane: Lane) -> None:
        """See `LaneHost`."""

    def lane_framing_failed(self, lane: Lane, error: FramingError) -> None:
        """See `LaneHost`."""
        self.error = error


def through_a_lane(framing: Any, pieces: Sequence[bytes]) -> tuple[FramingError | None, list[bytes], bytes]:
    """Let a lane read these pieces; return its error, the messages that its filter saw, and the bytes that passed."""
    ends: Any = _LaneEnds()
    messages: list[bytes] = []

    def see(message: bytes, link: Any) -> Any:
        messages.append(message)
        return PASS_ON

    lane = Lane(LaneSetup(filter=see), framing_of(framing), ends, ends, ends)
    lane.start()
    for piece in pieces:
        lane.feed(piece)
    return ends.error, messages, b"".join(ends.passed)
