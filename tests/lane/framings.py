"""Framings of a user, with each of the optional members, which count what they are shown."""

from __future__ import annotations


class Lines:
    """Each frame ends with a line feed. It knows no sizes, and must be shown all of a frame again with each read."""

    body = 0

    def __init__(self) -> None:
        self.calls = 0
        self.shown = 0
        """How many bytes it was shown."""
        self.followed: list[bytes] = []
        """The frames that were taken, if it follows them."""

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        self.calls += 1
        self.shown += end - start
        self.body = start
        return data.find(b"\n", start, end) + 1

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        return payload if payload.endswith(b"\n") else payload + b"\n"

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`."""
        return self.encode(payload)


class ResumingLines(Lines):
    """It goes on where it stopped; the last byte must be shown again, as if the end had two bytes."""

    seen = 0
    again = 1

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        self.seen = max(start, end - self.again)
        return super().find(data, start, end)

    def more(self, data: bytes, start: int, end: int) -> int:
        """See `IResumingFraming`."""
        stop = self.find(data, start, end)
        self.body = 0
        return stop


class Parts(Lines):
    """A frame of parts: each has a digit for its size, then ``+`` or, if it is the last one, ``.``, then its bytes.

    The size of the frame is known when the last part begins. The payload is the last part.
    """

    seen = 0

    def __init__(self) -> None:
        super().__init__()
        self._passed = 0
        """How many bytes of the frame came before those that are shown."""
        self._skip = 0
        """How many bytes of a part are still to come."""

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        self._passed = self._skip = 0
        stop = self.more(data, start, end)
        self.body += start
        return stop

    def more(self, data: bytes, start: int, end: int) -> int:
        """See `IResumingFraming`."""
        self.calls += 1
        self.shown += end - start
        at = start + self._skip
        while at + 2 <= end:
            size, last = size_of(int(data[at : at + 1])), data[at + 1 : at + 2] == b"."
            at += 2
            if last:
                self.body = self._passed + at - start
                return at + size
            at += size
        self.seen = min(at, end)
        self._skip = at - self.seen
        self._passed += self.seen - start
        return 0

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`. The payload is the whole frame."""
        return payload


class _Follows(Lines):
    """It wants to be told of each frame."""

    def taken(self, data: bytes, start: int, stop: int) -> None:
        """See `IStatefulFraming`."""
        self.followed.append(data[start:stop])


class FollowingLines(_Follows):
    """Lines without anything else."""


class FollowingResumingLines(ResumingLines, _Follows):
    """Lines that are searched for on and on."""


class FollowingParts(Parts, _Follows):
    """Parts that are searched for on and on."""


class PatientParts(Lines):
    """The same parts. It begins anew each time it is asked, and knows how many bytes it needs for that to be of use."""

    least = 0

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        self.calls += 1
        self.shown += end - start
        at = start
        while at + 2 <= end:
            size, last = size_of(int(data[at : at + 1])), data[at + 1 : at + 2] == b"."
            at += 2
            if last:
                self.body = at
                return at + size
            at += size
        self.least = at + 2 - start
        return 0

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`. The payload is the whole frame."""
        return payload


class FollowingPatientParts(PatientParts, _Follows):
    """Parts that are asked for rarely."""


def size_of(digit: int) -> int:
    """Return how many bytes a part with this digit has: none, or twice as many as one with the digit below."""
    return 100 << digit if digit else 0


def parts(*digits: int) -> bytes:
    """Return a frame of parts."""
    marks = [b"+"] * (len(digits) - 1) + [b"."]
    return b"".join(b"%d%s%s" % (digit, mark, b"p" * size_of(digit)) for digit, mark in zip(digits, marks, strict=True))
