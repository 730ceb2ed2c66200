"""Tries a framing against everything that a repeater relies on: `check_framing`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

from ..._types import FramingObject
from ...errors import FramingError, MarshalingError
from ...interfaces import IFraming
from ...model import Limits
from .._transcript import __tracebackhide__
from ._conformance import positions, start_of, told
from ._counting import memory_of
from ._framing_cost import check_cost
from ._hostile_headers import endless_headers, hostile_headers
from ._tried_framing import BIG, LARGE, TriedFraming, through_a_lane

__all__ = ["PAYLOADS", "__tracebackhide__", "check_framing"]

PAYLOADS: Sequence[bytes] = (b"", b"\0", b"hello", b"\xff" * 9, b"\r\n\0" * 50, bytes(range(256)) * 2)
"""The payloads that a framing is tried with by default."""


def check_framing(
    framing: FramingObject | Callable[[Limits], FramingObject],
    payloads: Sequence[bytes] = PAYLOADS,
    *,
    max_frame: int | None = None,
) -> None:
    """Raise `ConformanceError` unless a framing keeps what `IFraming` promises.

    It tries every cut of the frames, the limits, hostile lengths, and headers that never end. It counts the cost, which
    must be linear in the size of a frame, and must not depend on the bytes after the frame.

    The header of a wire may have no room for lengths up to ``max_frame``. A function that makes framings is then called
    again with the limit of the wire, which the framing must keep exactly. With a framing itself, that limit cannot be
    told from an error in its ``max_frame``.

    Args:
        framing: a function that makes a framing for given `Limits`, like that of a `Dialect`; or a framing.
        payloads: payloads that it must carry. Those that are tried by default are left out if they are too long.
        max_frame: the limit. By default, a framing has it in its attribute ``max_frame``, and for a function it is
            64 KiB.

    Raises:
        ConformanceError: a promise is broken. The message says which, and how.
        TypeError: the limit of a framing is missing.
    """
    if callable(framing) and not IFraming.providedBy(framing):
        make: Callable[[Limits], FramingObject] = framing
        limit = max([LARGE, *map(len, payloads)]) if max_frame is None else max_frame
        limit = wire_limit(make(Limits(max_frame=limit)), payloads, limit)
        tried = make(Limits(max_frame=limit))
        shorter = make(Limits(max_frame=limit - 1)) if limit > 1 else None
    else:
        tried, shorter = framing, None
        limit = wire_limit(tried, payloads, max_frame)
    if payloads is PAYLOADS:
        payloads = [payload for payload in payloads if len(payload) <= limit]
    FramingCheck(tried, payloads, limit, shorter).run()


def wire_limit(framing: FramingObject, payloads: Sequence[bytes], max_frame: int | None) -> int:
    """Return the limit of a framing, that of its own or that of its wire; at least 1, as `Limits` demands."""
    tried = FramingCheck(framing, payloads, 0)
    tried.provides()
    limit = getattr(framing, "max_frame", None) if max_frame is None else max_frame
    if limit is None:
        raise TypeError("max_frame is missing: pass it, or a function that makes the framing for given Limits")
    tried.max_frame = limit
    return max(tried.wire_limit(), 1)


class FramingCheck(TriedFraming):
    """The trial of one framing."""

    def __init__(
        self, framing: FramingObject, payloads: Sequence[bytes], max_frame: int, shorter: FramingObject | None = None
    ) -> None:
        super().__init__(framing, payloads, max_frame)
        self.shorter = shorter

    def provides(self) -> None:
        """Check that it has the methods."""
        try:
            verifyObject(IFraming, self.framing)
        except Invalid as error:
            self.complain(f"it does not provide IFraming: {error}")

    def run(self) -> None:
        """Try everything, the simplest first."""
        for payload in self.payloads:
            self.round_trip(payload)
        for payload in self.payloads:
            self.cuts(payload)
            self.offsets(payload)
        self.state()
        self.hostile_lengths()
        self.limits()
        self.stream()
        check_cost(self)
        self.headers_end()

    # -- good frames -----------------------------------------------------------------------------------------

    def round_trip(self, payload: bytes) -> None:
        """Check that an encoded payload is found again, also when its frame replaces another."""
        frame = self.encode(payload)
        what = f"the frame of {start_of(payload)}"
        got = self.payload_of(frame, what)
        if got != payload:
            self.complain(f"the body of {what} is {start_of(got)}")
        for other in self.payloads:
            what = f"the payload {start_of(payload)}"
            replaced = self.call("replace", self.framing.replace, what, self.encode(other), payload)
            got = self.payload_of(replaced, f"the frame that replace made of {start_of(payload)}")
            if got != payload:
                self.complain(f"replace for {what} made a frame of {start_of(got)}")

    def cuts(self, payload: bytes) -> None:
        """Check that find returns the end of a frame, or 0 for more bytes, wherever the data is cut."""
        frame = self.encode(payload)
        known = False
        for cut in positions(len(frame)):
            what = f"the first {cut} of {len(frame)} bytes of the frame of {start_of(payload)}"
            stop, body = self.find(frame[:cut], 0, cut, what)
            if stop not in (0, len(frame)):
                self.complain(f"find must return 0, for more bytes, or the end of the frame, not {stop}, for {what}")
            if known and not stop:
                self.complain(f"find returned 0 for {what}, but knew the end with fewer")
            if stop and body > cut:
                self.complain(f"find says that the body begins at {body} for {what}: the header is incomplete")
            known = bool(stop)
            for after in (b"\0" * 64, b"\xff" * 64, frame[cut:] + b"\x7f" * 64):
                beyond, _ = self.find(frame[:cut] + after, 0, cut, what)
                if beyond != stop:
                    self.complain(
                        f"find looks at bytes after the end of the data: for {what} it returned {stop} or {beyond}"
                    )

    def offsets(self, payload: bytes) -> None:
        """Check that a frame may begin anywhere in the data."""
        frame = self.encode(payload)
        for before in (b"\0", b"\xff" * 7, frame):
            data = before + frame + b"\x01" * 32
            start = len(before)
            what = f"the frame of {start_of(payload)} that begins at {start}"
            stop, body = self.find(data, start, len(data), what)
            if stop != start + len(frame) or data[body:stop] != payload:
                self.complain(
                    f"find returned {stop}, with the body at {body}, for {what} and ends at {start + len(frame)}"
                )

    def state(self) -> None:
        """Check that it keeps nothing between calls: one framing serves every connection."""
        frames = [self.encode(payload) for payload in self.payloads]
        expected = [self.find(frame, 0, len(frame), "a frame") for frame in frames]
        for number, frame in enumerate(frames):
            for other in frames:
                self.find(other, 0, len(other) // 2, "half a frame")
                if self.find(frame, 0, len(frame), "a frame") != expected[number]:
                    self.complain(
                        f"find must keep nothing between calls: its answer for {start_of(frame)} changes after a call "
                        f"for {start_of(other)}"
                    )

    def stream(self) -> None:
        """Check that a lane with this framing finds every message, however the stream is cut."""
        frames = [self.encode(payload) for payload in self.payloads]
        data = b"".join(frames)
        ways: list[tuple[str, list[bytes]]] = [("as a whole", [data])]
        if len(data) <= LARGE:
            ways.append(("byte by byte", [data[at : at + 1] for at in range(len(data))]))
        ways += [(f"cut at {cut}", [data[:cut], data[cut:]]) for cut in positions(len(data))]
        for way, pieces in ways:
            error, messages, passed = through_a_lane(self.framing, pieces)
            if error is not None:
                self.complain(f"all payloads in one stream, {way}: {told(error)}")
            if messages != list(self.payloads) or passed != data:
                self.complain(f"all payloads in one stream, {way}: other messages were found, {len(messages)}")

    # -- limits and hostile bytes ----------------------------------------------------------------------------

    def limits(self) -> None:
        """Check that the longest payload goes through, and that a longer one is refused."""
        if self.max_frame > BIG:
            return
        longest = self.sized(self.max_frame)
        frame = self.encode(longest)
        if self.payload_of(frame, f"a payload of max_frame, {self.max_frame} bytes") != longest:
            self.complain("a payload of max_frame bytes must come back the same")
        self.refuses(self.framing, longest + b"x", "above max_frame")
        if self.shorter is not None:
            self.refuses(self.shorter, longest, f"of {self.max_frame} bytes, one more than the max_frame of its Limits")
            self.refused_in_header(self.shorter, frame)

    def refuses(self, framing: FramingObject, payload: bytes, which: str) -> None:
        """Check that a payload that is too long is not encoded."""
        if self.attempt("encode", framing.encode, MarshalingError, f"a payload {which}", payload):
            self.complain(f"encode accepts a payload {which}: it must raise MarshalingError")

    def refused_in_header(self, framing: FramingObject, frame: bytes) -> None:
        """Check that a frame that is too long is refused as soon as its header is there."""
        end = next(end for end in range(1, len(frame) + 1) if self.find(frame, 0, end, "a part of a frame")[0])
        if self.attempt("find", framing.find, FramingError, "a header that announces too much", frame, 0, end):
            self.complain(
                f"find accepts a header that announces {self.max_frame} bytes where {self.max_frame - 1} are allowed: "
                "it must raise FrameTooLong before the body is there"
            )

    def hostile_lengths(self) -> None:
        """Check that hostile headers give a FramingError or a frame within the limits, and take no memory."""
        for data in hostile_headers(self):
            for start in (0, 3):
                self.hostile_length(b"\x01" * start + data, start)

    def hostile_length(self, data: bytes, start: int) -> None:
        """Check what find does with a hostile header."""
        end = len(data)
        what = f"the bytes {start_of(data[start:], 24)}"
        found: list[int] = []
        find = self.framing.find
        memory = memory_of(lambda: found.extend(self.attempt("find", find, FramingError, what, data, start, end)))
        if memory > LARGE:
            self.complain(f"find takes {memory} bytes of memory for {what}, before the body is there")
        for stop in found:
            self.found(start, end, stop, what)

    def found(self, start: int, end: int, stop: int, what: str) -> None:
        """Check the frame that was found at a hostile header."""
        if stop == 0:
            return
        body = self.framing.body
        if stop <= start:
            self.complain(f"find says that a frame at {start} ends at {stop}, for {what}: reading would never end")
        if not start <= body <= min(stop, end):
            self.complain(f"find says that a body begins at {body} of a frame from {start} to {stop}, for {what}")
        if stop - body > self.max_frame:
            self.complain(f"find accepts a body of {stop - body} bytes where {self.max_frame} are allowed, for {what}")

    def headers_end(self) -> None:
        """Check that a header without an end is refused: else its sender fills the memory."""
        for data in endless_headers(self):
            what = f"{len(data)} bytes, {start_of(data)}"
            if 0 in self.attempt("find", self.framing.find, FramingError, what, data, 0, len(data)):
                self.complain(f"find must refuse a header without an end; it returned 0 for {what}")
