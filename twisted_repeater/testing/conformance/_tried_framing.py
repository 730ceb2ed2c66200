"""A framing that is being tried: calls it, complains where a call goes wrong that must not, finds its own limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..._lane.lane import Lane
from ..._lane.setup import LaneSetup
from ..._types import FramingObject
from ...errors import FramingError, MarshalingError
from ...framings.base import framing_of
from ...verdicts import PASS_ON
from ._conformance import Tried, start_of, told

__all__ = ["BIG", "LARGE", "TriedFraming", "goes_on", "keeps_state", "tail_of", "through_a_lane"]

LARGE = 64 * 1024
"""How long a payload is that a framing is tried with, as far as its limit allows."""

BIG = 64 * 1024 * 1024
"""Limits above this are not tried with a payload of that size."""

HEADER = 64
"""Up to so many bytes of a frame are taken for its header, if the payload does not begin after it."""


def goes_on(framing: FramingObject) -> bool:
    """Return whether a framing provides `IResumingFraming`."""
    return framing_of(framing).goes_on


def keeps_state(framing: FramingObject) -> bool:
    """Return whether a framing provides `IStatefulFraming`."""
    return framing_of(framing).follows


def tail_of(framing: FramingObject) -> int:
    """Return how many bytes at the end of the frame that was found last are not of its payload."""
    tail: int = getattr(framing, "tail", 0)
    return tail


class TriedFraming(Tried):
    """A framing, the payloads that it must carry, and its limit.

    Args:
        framing: the framing.
        payloads: payloads, in an order in which one stream may have them.
        max_frame: the limit.
        make: makes another such framing, for another stream. Without it, ``framing`` serves all streams.
        grow: makes a payload of about this size.
    """

    def __init__(
        self,
        framing: FramingObject,
        payloads: Sequence[bytes],
        max_frame: int,
        *,
        make: Callable[[], FramingObject] | None = None,
        grow: Callable[[int], bytes] | None = None,
    ) -> None:
        super().__init__(framing)
        self.framing = framing
        self.payloads = payloads
        self.max_frame = max_frame
        self.make = make or (lambda: framing)
        self.grow = grow
        self.at_limit = b""
        """A payload of ``grow`` that is as long as the limit."""

    def stand_at(self, number: int) -> None:
        """Use a framing that has taken the frames before this payload."""
        self.framing = self.make()
        if keeps_state(self.framing):
            for payload in self.payloads[:number]:
                frame = self.encode(payload)
                self.payload_of(frame, f"the frame of {start_of(payload)}, after those before it")
                taken: Any = getattr(self.framing, "taken")  # noqa: B009 - mypy does not know it
                self.call("taken", taken, "the frame", frame, 0, len(frame))

    def encode(self, payload: bytes) -> bytes:
        """Make a frame."""
        return self.encoded(payload, f"a payload of {len(payload)} bytes, {start_of(payload)}")

    def encoded(self, value: object, what: str) -> bytes:
        """Encode a payload with the framing that is in use."""
        self.tried = self.framing
        return super().encoded(value, what)

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
        return frame[body : stop - tail_of(self.framing)]

    def known(self, frame: bytes) -> int:
        """Return how many bytes of a frame tell where it ends."""
        least, most = 0, len(frame)
        while most - least > 1:
            middle = (least + most) // 2
            stop, _ = self.find(frame, 0, middle, "a part of a frame")
            least, most = (least, middle) if stop else (middle, most)
        return most

    def header(self, payload: bytes) -> bytes:
        """Return the bytes of a frame before its payload, or else those that tell where it ends, if they are few."""
        frame = self.encode(payload)
        _, body = self.find(frame, 0, len(frame), "a frame")
        return frame[: max(body, min(self.known(frame), HEADER))]

    def sized(self, size: int) -> bytes:
        """Make a payload of this size, out of one that is known to work; of about this size, with ``grow``."""
        if self.grow is None:
            pattern = max(self.payloads, key=len, default=b"") or b"x"
            return (pattern * (size // len(pattern) + 1))[:size]
        payload = self.grow(size)
        if type(payload) is not bytes:
            raise TypeError(f"grow({size}) must return bytes, not {type(payload).__name__}")
        if not size // 2 <= len(payload) <= 2 * size + HEADER:
            raise ValueError(f"grow({size}) must return a payload of about {size} bytes, not {len(payload)}")
        return payload

    def longest(self, most: int) -> bytes:
        """Make a payload of at most so many bytes, and as near to them as can be."""
        if len(self.at_limit) == most:
            return self.at_limit
        size = most
        payload = self.sized(size)
        while len(payload) > most and size > 0:
            size = max(size - max(len(payload) - most, 1), 0)
            payload = self.sized(size)
        return payload

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
        payloads = (self.sized(size), bytes(size), b"x" * size) if self.grow is None else (self.longest(size),)
        for payload in payloads:
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

    # With a clock that stands still it never gives way, however slow the framing is.
    lane = Lane(LaneSetup(filter=see), framing_of(framing), ends, ends, ends, lambda: 0.0)
    lane.start()
    for piece in pieces:
        lane.feed(piece)
    return ends.error, messages, b"".join(ends.passed)
