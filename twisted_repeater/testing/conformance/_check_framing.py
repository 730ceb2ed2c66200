"""Tries a framing against everything that a repeater relies on: `check_framing`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

from ..._types import FramingObject
from ...errors import FramingError, MarshalingError
from ...framings.base import Framings
from ...interfaces import IFraming
from ...model import Limits
from .._transcript import __tracebackhide__
from ._conformance import positions, start_of, told
from ._counting import memory_of
from ._frame_in_pieces import shown_in_pieces
from ._framing_cost import check_cost
from ._hostile_headers import LONGEST_HEADER, endless_headers, hostile_headers
from ._tried_framing import BIG, HEADER, LARGE, TriedFraming, keeps_state, tail_of, through_a_lane

__all__ = ["PAYLOADS", "__tracebackhide__", "check_framing"]

PAYLOADS: Sequence[bytes] = (b"", b"\0", b"hello", b"\xff" * 9, b"\r\n\0" * 50, bytes(range(256)) * 2)
"""The payloads that a framing is tried with by default."""

SMALL = 1000
"""A limit, in bytes, that makes what is endless short."""


def check_framing(
    framing: FramingObject | Callable[[Limits], FramingObject],
    payloads: Sequence[bytes] = PAYLOADS,
    *,
    grow: Callable[[int], bytes] | None = None,
    max_frame: int | None = None,
) -> None:
    """Raise `ConformanceError` unless a framing keeps what `IFraming` promises.

    It tries every cut of the frames, the limits, hostile lengths, and headers that never end. It counts the cost, which
    must be linear in the size of a frame, however the frame is cut, and must not depend on the bytes after the frame.
    A framing that provides `IPatientFraming`, `IResumingFraming` or `IStatefulFraming` is asked as these say.

    The header of a wire may have no room for lengths up to ``max_frame``. A function that makes framings is then called
    again with the limit of the wire, which the framing must keep exactly. With a framing itself, that limit cannot be
    told from an error in its ``max_frame``.

    Args:
        framing: a function that makes a framing for given `Limits`, like that of a `Dialect`; or a framing. It must be
            a function if the framing has `taken`: each stream needs a framing of its own.
        payloads: payloads that it must carry; where the payload is the whole frame, whole frames. If the framing has
            `taken`, a stream must be able to have them in this order. Those that are tried by default are left out if
            they are too long.
        grow: makes a payload of about the size that it is given, which may be the first of a stream. By default one of
            the payloads is repeated, so it is needed if that makes no payload.
        max_frame: the limit. By default, a framing has it in its attribute ``max_frame``, and for a function it is
            64 KiB.

    Raises:
        ConformanceError: a promise is broken. The message says which, and how.
        TypeError: the limit of a framing or ``grow`` is missing, or the framing must be a function.
    """
    shorter = smaller = make = None
    at_limit = b""
    if callable(framing) and not IFraming.providedBy(framing):
        limit = max([LARGE, *map(len, payloads)]) if max_frame is None else max_frame
        limit = wire_limit(made(framing, limit), payloads, limit, grow)
        if grow is not None:
            at_limit = FramingCheck(made(framing, limit), payloads, limit, grow=grow).longest(limit)
            limit = max(len(at_limit), 1)
        make = partial(made, framing, limit)
        tried = make()
        shorter = made(framing, limit - 1) if limit > 1 else None
        smaller = made(framing, max([min(limit, SMALL), *map(len, payloads)]))
    else:
        tried = framing
        limit = wire_limit(tried, payloads, max_frame, grow)
        if keeps_state(tried):
            raise TypeError("framing must be a function that makes framings, as this one has taken, and keeps state")
    if payloads is PAYLOADS:
        payloads = [payload for payload in payloads if len(payload) <= limit]
    check = FramingCheck(tried, payloads, limit, make=make, grow=grow)
    check.at_limit, check.shorter, check.smaller = at_limit, shorter, smaller
    check.run()


def made(function: Callable[[Limits], FramingObject], max_frame: int) -> FramingObject:
    """Return the framing that a function makes for a limit."""
    framing = function(Limits(max_frame=max_frame))
    if isinstance(framing, Framings):
        raise TypeError(
            "framing must make one framing, not Framings: check each, as by `lambda limits: framing(limits).to_server`"
        )
    return framing


def wire_limit(
    framing: FramingObject,
    payloads: Sequence[bytes],
    max_frame: int | None,
    grow: Callable[[int], bytes] | None = None,
) -> int:
    """Return the limit of a framing, that of its own or that of its wire; at least 1, as `Limits` demands."""
    tried = FramingCheck(framing, payloads, 0, grow=grow)
    tried.provides()
    limit = getattr(framing, "max_frame", None) if max_frame is None else max_frame
    if limit is None:
        raise TypeError("max_frame is missing: pass it, or a function that makes the framing for given Limits")
    if grow is None and tried.is_whole():
        raise TypeError("grow is missing: the payloads are whole frames, and longer ones cannot be made of them")
    tried.max_frame = limit
    return max(tried.wire_limit(), 1)


class FramingCheck(TriedFraming):
    """The trial of one framing."""

    shorter: FramingObject | None = None
    """The same with a limit that is one byte below."""
    smaller: FramingObject | None = None
    """The same with a small limit."""

    def provides(self) -> None:
        """Check that it has the methods."""
        try:
            verifyObject(IFraming, self.framing)
        except Invalid as error:
            self.complain(f"it does not provide IFraming: {error}")

    def run(self) -> None:
        """Try everything, the simplest first."""
        for number, payload in enumerate(self.payloads):
            self.stand_at(number)
            self.round_trip(payload)
        for number, payload in enumerate(self.payloads):
            self.stand_at(number)
            self.cuts(payload)
            self.offsets(payload)
            self.pieces(payload)
        self.state()
        self.hostile_lengths()
        self.limits()
        self.stream()
        check_cost(self)
        self.headers_end()

    def is_whole(self) -> bool:
        """Return whether the payloads are whole frames."""
        frames = [
            self.attempt("encode", self.framing.encode, Exception, start_of(payload), payload)
            for payload in self.payloads
        ]
        return any(self.payloads) and frames == [[payload] for payload in self.payloads]

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
            if stop != start + len(frame) or data[body : stop - tail_of(self.framing)] != payload:
                self.complain(
                    f"find returned {stop}, with the body at {body}, for {what} and ends at {start + len(frame)}"
                )

    def pieces(self, payload: bytes) -> None:
        """Check that the end of a frame is found in whatever pieces it comes."""
        frame = self.encode(payload)
        what = f"the frame of {start_of(payload)}"
        for size in (1, 2, 3, 64, 1000) if len(frame) <= SMALL else (64, 1000):
            shown_in_pieces(self, frame, [*range(size, len(frame), size), len(frame)], what)
        for cut in positions(len(frame)):
            shown_in_pieces(self, frame, [cut, len(frame)], what)

    def state(self) -> None:
        """Check that find answers the same when it is asked again, whatever it was asked meanwhile."""
        frames = [self.encode(payload) for payload in self.payloads]
        for number, frame in enumerate(frames):
            self.stand_at(number)
            expected = self.find(frame, 0, len(frame), "a frame")
            for other in [frame] if keeps_state(self.framing) else frames:
                self.find(other, 0, len(other) // 2, "half a frame")
                if self.find(frame, 0, len(frame), "a frame") != expected:
                    self.complain(
                        f"find must move no state: its answer for {start_of(frame)} changes after a call for "
                        f"{start_of(other)}"
                    )

    def stream(self) -> None:
        """Check that a lane with this framing finds every message, however the stream is cut."""
        data = b""
        for number, payload in enumerate(self.payloads):
            self.stand_at(number)
            data += self.encode(payload)
        ways: list[tuple[str, list[bytes]]] = [("as a whole", [data])]
        if len(data) <= LARGE:
            ways.append(("byte by byte", [data[at : at + 1] for at in range(len(data))]))
        ways += [(f"cut at {cut}", [data[:cut], data[cut:]]) for cut in positions(len(data))]
        for way, pieces in ways:
            error, messages, passed = through_a_lane(self.make(), pieces)
            if error is not None:
                self.complain(f"all payloads in one stream, {way}: {told(error)}")
            if messages != list(self.payloads) or passed != data:
                self.complain(f"all payloads in one stream, {way}: other messages were found, {len(messages)}")

    # -- limits and hostile bytes ----------------------------------------------------------------------------

    def limits(self) -> None:
        """Check that the longest payload goes through, and that a longer one is refused."""
        if self.max_frame > BIG:
            return
        self.stand_at(0)
        longest = self.longest(self.max_frame)
        frame = self.encode(longest)
        if self.payload_of(frame, f"a payload of max_frame, {self.max_frame} bytes") != longest:
            self.complain("a payload of max_frame bytes must come back the same")
        longer = longest + b"x" if self.grow is None else self.sized(2 * self.max_frame + 2 * HEADER)
        self.refuses(self.framing, longer, "above max_frame")
        if self.shorter is not None:
            self.refuses(self.shorter, longest, f"of {self.max_frame} bytes, one more than the max_frame of its Limits")
            self.refused_in_header(self.shorter, frame)

    def refuses(self, framing: FramingObject, payload: bytes, which: str) -> None:
        """Check that a payload that is too long is not encoded."""
        if self.attempt("encode", framing.encode, MarshalingError, f"a payload {which}", payload):
            self.complain(f"encode accepts a payload {which}: it must raise MarshalingError")

    def refused_in_header(self, framing: FramingObject, frame: bytes) -> None:
        """Check that a frame that is too long is refused as soon as its header is there."""
        end = self.known(frame)
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
        size = stop - body - tail_of(self.framing)
        if size > self.max_frame:
            self.complain(f"find accepts a body of {size} bytes where {self.max_frame} are allowed, for {what}")

    def headers_end(self) -> None:
        """Check that a header without an end is refused: else its sender fills the memory."""
        self.stand_at(0)
        size, framing = LONGEST_HEADER, None
        if self.known(self.encode(self.longest(min(self.max_frame, LARGE)))) > LONGEST_HEADER:
            # It knows the end of a frame when that has come, so it may wait up to its limit.
            framing = self.smaller
            limit = max([min(self.max_frame, SMALL), *map(len, self.payloads)]) if framing else self.max_frame
            size += 2 * limit
            if size > 4 * LARGE:
                return
        for data in endless_headers(self, size):
            what = f"{len(data)} bytes, {start_of(data)}"
            if 0 in self.attempt("find", (framing or self.framing).find, FramingError, what, data, 0, len(data)):
                self.complain(f"find must refuse a header without an end; it returned 0 for {what}")
