"""Puts a framing through all that a repeater relies on: `check_framing`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

from ...errors import FramingError, MarshalingError
from ...interfaces import IFraming
from ...model import Limits
from ._conformance import positions, start_of, told
from ._counting import memory_of
from ._framing_cost import check_cost
from ._hostile_headers import endless_headers, hostile_headers
from ._tried_framing import BIG, LARGE, TriedFraming, through_a_lane

__all__ = ["PAYLOADS", "check_framing"]

PAYLOADS: Sequence[bytes] = (b"", b"\0", b"hello", b"\xff" * 9, b"\r\n\0" * 50, bytes(range(256)) * 2)
"""What a framing is tried with unless one is told better."""


def check_framing(
    framing: IFraming | Callable[[Limits], IFraming],
    payloads: Sequence[bytes] = PAYLOADS,
    *,
    max_frame: int | None = None,
) -> None:
    """Raise `ConformanceError` unless a framing keeps what `IFraming` promises.

    ``framing`` is what makes one for given `Limits`, as a `Dialect` has it, or a framing. Of a framing, the limit is in
    its attribute ``max_frame`` or given here. ``payloads`` are some that it must carry; those that it is tried with
    otherwise are left out where they are longer than its limit.

    A wire may have a limit of its own, below ``max_frame``: its header has no room for a greater length. What makes a
    framing is then asked for one of that limit, which must keep it exactly. Of a framing that is given as it is, this
    cannot be told from one that is wrong about its ``max_frame``.

    It is tried with every cut of its frames, at the limits, with hostile lengths and headers that never end, and its
    cost is counted: it must be linear in the size of a frame, and independent of what lies behind the frame.
    """
    shorter: IFraming | None = None
    if IFraming.providedBy(framing):
        tried: Any = framing
        max_frame = getattr(tried, "max_frame", None) if max_frame is None else max_frame
        if max_frame is None:
            raise TypeError("give check_framing the max_frame of this framing, or what makes it for given Limits")
        max_frame = wire_limit(tried, payloads, max_frame)
    elif callable(framing):
        max_frame = max([LARGE, *map(len, payloads)]) if max_frame is None else max_frame
        max_frame = wire_limit(framing(Limits(max_frame=max_frame)), payloads, max_frame)
        tried = framing(Limits(max_frame=max_frame))
        shorter = framing(Limits(max_frame=max_frame - 1)) if max_frame > 1 else None
    else:
        tried, max_frame = framing, 0
    if payloads is PAYLOADS:
        payloads = [payload for payload in payloads if len(payload) <= max_frame]
    FramingCheck(tried, payloads, max_frame, shorter).run()


def wire_limit(framing: IFraming, payloads: Sequence[bytes], max_frame: int) -> int:
    """Return the limit of a framing: of its wire, where that is below ``max_frame``; at least 1, as of `Limits`."""
    return max(TriedFraming(framing, payloads, max_frame).wire_limit(), 1)


class FramingCheck(TriedFraming):
    """One framing being tried."""

    def __init__(
        self, framing: IFraming, payloads: Sequence[bytes], max_frame: int, shorter: IFraming | None = None
    ) -> None:
        super().__init__(framing, payloads, max_frame)
        self.shorter = shorter

    def run(self) -> None:
        """Try everything, the simplest first."""
        try:
            verifyObject(IFraming, self.framing)
        except Invalid as error:
            self.complain(f"it does not provide IFraming: {error}")
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
        """What is encoded is found again, also when it stands for another frame."""
        frame = self.encode(payload)
        what = f"the frame of {start_of(payload)}"
        got = self.payload_of(frame, what)
        if got != payload:
            self.complain(f"the body of {what} is {start_of(got)}")
        for other in self.payloads:
            other_frame = self.encode(other)
            try:
                replaced = self.framing.replace(other_frame, payload)
            except Exception as error:
                self.complain(f"replace raised {told(error)} for the payload {start_of(payload)}")
            got = self.payload_of(replaced, f"what replace gave for {start_of(payload)}")
            if got != payload:
                self.complain(f"replace for the payload {start_of(payload)} gave a frame of {start_of(got)}")

    def cuts(self, payload: bytes) -> None:
        """Of a frame that has come up to any byte, the end is told, or that more is needed; never anything else."""
        frame = self.encode(payload)
        known = False
        for cut in positions(len(frame)):
            what = f"the first {cut} of {len(frame)} bytes of the frame of {start_of(payload)}"
            stop, body = self.find(frame[:cut], 0, cut, what)
            if stop not in (0, len(frame)):
                self.complain(f"find gave {stop} for {what}; it must give 0, for more bytes, or where the frame ends")
            if known and not stop:
                self.complain(f"find gave 0 for {what}, but knew the end when there was less")
            if stop and body > cut:
                self.complain(f"find says that the body begins at {body} for {what}: its header is not complete")
            known = bool(stop)
            for behind in (b"\0" * 64, b"\xff" * 64, frame[cut:] + b"\x7f" * 64):
                beyond, _ = self.find(frame[:cut] + behind, 0, cut, what)
                if beyond != stop:
                    self.complain(f"find looks at bytes behind its end: for {what} it gave {stop} or {beyond}")

    def offsets(self, payload: bytes) -> None:
        """A frame may begin anywhere in the data."""
        frame = self.encode(payload)
        for before in (b"\0", b"\xff" * 7, frame):
            data = before + frame + b"\x01" * 32
            start = len(before)
            what = f"the frame of {start_of(payload)} that begins at {start}"
            stop, body = self.find(data, start, len(data), what)
            if stop != start + len(frame) or data[body:stop] != payload:
                self.complain(f"find gave {stop}, with the body at {body}, for {what} and ends at {start + len(frame)}")

    def state(self) -> None:
        """One framing serves every connection: it must keep nothing between calls."""
        frames = [self.encode(payload) for payload in self.payloads]
        expected = [self.find(frame, 0, len(frame), "a frame") for frame in frames]
        for number, frame in enumerate(frames):
            for other in frames:
                self.find(other, 0, len(other) // 2, "half a frame")
                if self.find(frame, 0, len(frame), "a frame") != expected[number]:
                    self.complain(
                        f"find answers differently about {start_of(frame)} after a call about {start_of(other)}"
                    )

    def stream(self) -> None:
        """A lane that uses the framing sees every message, however the stream is cut."""
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
                self.complain(f"all payloads in one stream, {way}: {len(messages)} messages were found, not the same")

    # -- limits and hostile bytes ----------------------------------------------------------------------------

    def limits(self) -> None:
        """What is as long as allowed goes through; what is longer is refused."""
        if self.max_frame > BIG:
            return
        longest = self.sized(self.max_frame)
        frame = self.encode(longest)
        if self.payload_of(frame, f"a payload of max_frame, {self.max_frame} bytes") != longest:
            self.complain("a payload of max_frame bytes does not come out again")
        self.refuses(self.framing, longest + b"x", "above max_frame")
        if self.shorter is not None:
            self.refuses(self.shorter, longest, f"of {self.max_frame} bytes, one more than the max_frame of its Limits")
            self.refused_in_header(self.shorter, frame)

    def refuses(self, framing: IFraming, payload: bytes, which: str) -> None:
        """What is too long is not encoded."""
        try:
            framing.encode(payload)
        except MarshalingError:
            return
        except Exception as error:
            self.complain(f"encode raised {told(error)}, not MarshalingError, for a payload {which}")
        self.complain(f"encode accepts a payload {which}: it must raise MarshalingError")

    def refused_in_header(self, framing: IFraming, frame: bytes) -> None:
        """A frame that is too long is refused by its header, before its body is there."""
        end = next(end for end in range(1, len(frame) + 1) if self.find(frame, 0, end, "a part of a frame")[0])
        try:
            framing.find(frame, 0, end)
        except FramingError:
            return
        except Exception as error:
            self.complain(f"find raised {told(error)}, not FrameTooLong, for a header that announces too much")
        self.complain(
            f"find accepts a header that announces {self.max_frame} bytes where {self.max_frame - 1} are allowed: "
            "it must raise FrameTooLong before the body is there"
        )

    def hostile_lengths(self) -> None:
        """Whatever stands where a header should: a FramingError, or a frame within the limits; nothing is set aside."""
        for data in hostile_headers(self):
            for start in (0, 3):
                self.hostile_length(b"\x01" * start + data, start)

    def hostile_length(self, data: bytes, start: int) -> None:
        """Look at bytes that nobody sane has sent."""
        end = len(data)
        what = f"the bytes {start_of(data[start:], 24)}"
        found: list[int] = []
        errors: list[Exception] = []

        def find() -> None:
            try:
                found.append(self.framing.find(data, start, end))
            except Exception as error:
                errors.append(error)

        memory = memory_of(find)
        if memory > LARGE:
            self.complain(f"find sets {memory} bytes aside for {what}, before the body is there")
        for error in errors:
            if not isinstance(error, FramingError):
                self.complain(f"find raised {told(error)}, not a FramingError, for {what}")
        for stop in found:
            self.found(start, end, stop, what)

    def found(self, start: int, end: int, stop: int, what: str) -> None:
        """Look at what was found where nobody sane has sent anything."""
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
        """A header ends: whoever sends one that does not would be waited for, and all that came kept for ever."""
        for data in endless_headers(self):
            try:
                stop = self.framing.find(data, 0, len(data))
            except FramingError:
                continue
            except Exception as error:
                self.complain(f"find raised {told(error)}, not a FramingError, for {len(data)} bytes, {start_of(data)}")
            if stop == 0:
                self.complain(
                    f"find gave 0 for {len(data)} bytes, {start_of(data)}: a header without an end must be refused"
                )
