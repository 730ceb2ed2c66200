"""Framings in Python that wait, go on, keep state, or have the whole frame as their payload, which tests break."""

from __future__ import annotations

from zope.interface import implementer

from twisted_repeater import FrameTooLong, IFraming, Limits, MarshalingError

from .plain_framing import PlainFraming

__all__ = ["PAYLOADS", "Marked", "Numbered", "Patient", "Resuming", "Whole", "grow"]

PAYLOADS = [b"", b"a", b"hello", b"x" * 100]


@implementer(IFraming)
class Marked:
    """Lines in Python, searched from the beginning each time."""

    body = 0
    tail = 1

    def __init__(self, limits: Limits) -> None:
        self.limit = limits.max_frame

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        self.body = start
        stop = data.find(b"\n", start, min(end, start + self.limit + 1)) + 1
        if not stop and end - start > self.limit:
            raise FrameTooLong(self.limit + 1, self.limit)
        return stop

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        if b"\n" in payload or len(payload) > self.limit:
            raise MarshalingError("no line")
        return payload + b"\n"

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`."""
        return self.encode(payload)


class Resuming(Marked):
    """Goes on where it stopped."""

    before = seen = 0

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        self.before = 0
        return self.more(data, start, end) and super().find(data, start, end)

    def more(self, data: bytes, start: int, end: int) -> int:
        """See `IResumingFraming`."""
        self.body = 0
        stop = data.find(b"\n", start, end) + 1
        if (stop or end) - bool(stop) - start + self.before > self.limit:
            raise FrameTooLong(self.limit + 1, self.limit)
        if not stop:
            self.seen = end
            self.before += end - start
        return stop


class Patient(Marked):
    """Wants twice the bytes each time, as far as it knows of so many: the first byte is a digit, the size by tens."""

    least = 0

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        self.least = 0
        stop = super().find(data, start, end)
        if not stop and end > start and data[start : start + 1].isdigit():
            self.least = int(data[start : start + 1]) * 10
        return stop


class Numbered(PlainFraming):
    """Frames of which each begins with its number, from 0 to 9 and again."""

    number = 0

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        stop = super().find(data, start, end)
        return stop + self.number if stop else 0

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        return super().encode(payload) + b"." * self.number

    @property
    def tail(self) -> int:
        """See `ITailedFraming`."""
        return self.number

    def taken(self, data: bytes, start: int, stop: int) -> None:
        """See `IStatefulFraming`."""
        self.number = (self.number + 1) % 10


class Whole(PlainFraming):
    """Its payload is the whole frame."""

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        stop = super().find(data, start, end)
        self.body = start
        if stop - start > self.limit:
            raise FrameTooLong(stop - start, self.limit)
        return stop

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        if len(payload) > self.limit or payload[:3] != (len(payload) - 3).to_bytes(3, "big"):
            raise MarshalingError("no frame")
        return payload


def grow(size: int) -> bytes:
    """Make a frame of this size."""
    rest = max(size - 3, 0)
    return rest.to_bytes(3, "big") + b"x" * rest
