"""Framings whose cost is not linear are found out."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Limits
from twisted_repeater.testing import ConformanceError
from twisted_repeater.testing.conformance._framing_cost import check_cost
from twisted_repeater.testing.conformance._tried_framing import LARGE, TriedFraming

from .more_framings import Resuming
from .plain_framing import PlainFraming


class LooksAtTheRest(PlainFraming):
    """Looks at everything after a frame."""

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        for _ in data[start : start + 1] and range(start, end, 16):
            pass
        return super().find(data, start, end)


class CopiesTheRest(PlainFraming):
    """Makes a copy of everything after a frame."""

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        rest = data[start:end]
        stop = super().find(rest, 0, len(rest))
        self.body += start
        return stop and stop + start


class TellsLate(PlainFraming):
    """Does not tell where a frame ends before all of it is there, as one with a mark at the end."""

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        stop = super().find(data, start, end)
        return stop if stop <= end else 0


class QuadraticEncode(PlainFraming):
    """Encodes byte by byte, from the beginning each time."""

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        for at in range(0, len(payload), 512):
            for _ in range(0, at, 512):
                pass
        return super().encode(payload)


class QuadraticFind(PlainFraming):
    """Looks at each byte of a frame, for each of its bytes, but not at the bytes after it."""

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        stop = super().find(data, start, end)
        for at in range(start, min(stop, end), 512):
            for _ in range(start, at, 512):
                pass
        return stop


class CopiesTheFrame(PlainFraming):
    """Makes a copy of a frame."""

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        stop = super().find(data, start, end)
        bytearray(data[start:stop])
        return stop


class Rescanning(Resuming):
    """Looks again at all the bytes of a frame that it has seen, though it is not shown them."""

    def more(self, data: bytes, start: int, end: int) -> int:
        """See `IResumingFraming`."""
        for _ in range(0, self.before, 64):
            pass
        return super().more(data, start, end)


class CostTests(SynchronousTestCase):
    """What is counted."""

    def tried(self, framing: type[PlainFraming], max_frame: int = LARGE) -> TriedFraming:
        """Make a framing to be tried."""
        return TriedFraming(framing(Limits(max_frame=max_frame)), [b"x", b"hello"], max_frame)

    def test_linear(self) -> None:
        """One that is linear passes, also where its limit is low."""
        check_cost(self.tried(PlainFraming))
        check_cost(self.tried(PlainFraming, 10))

    def test_goes_on(self) -> None:
        """One that goes on where it stopped passes, unless it looks at what it has seen."""
        for framing in (Resuming, Rescanning):
            tried = TriedFraming(framing(Limits(max_frame=LARGE)), [b"x", b"hello"], LARGE)
            if framing is Resuming:
                check_cost(tried)
            else:
                told = str(self.assertRaises(ConformanceError, check_cost, tried))
                self.assertRegex(told, r"^Rescanning: find and more take \d+ steps for a frame of 16385 bytes")

    def test_not_linear(self) -> None:
        """One that isn't is told what it does, and how much."""
        for framing, complaint in (
            (
                LooksAtTheRest,
                r"find takes \d+ steps for a frame that others follow, and \d+ if four times as many",
            ),
            (CopiesTheRest, r"find takes \d+ bytes of memory for a frame that others follow.* it copies the data"),
            (TellsLate, r"find and more are shown \d+ bytes of a frame of 16387 that comes in pieces of 64: the cost"),
            (QuadraticEncode, r"encode takes \d+ steps for a payload of 16384 bytes and \d+ for one of 65536"),
            (QuadraticFind, r"find takes \d+ steps for a payload of 16384 bytes and \d+ for one of 65536"),
            (CopiesTheFrame, r"find must copy nothing; it takes \d+ bytes of memory for a frame of 65539 bytes"),
        ):
            told = str(self.assertRaises(ConformanceError, check_cost, self.tried(framing)))
            self.assertTrue(re.match(f"{framing.__name__}: {complaint}", told), told)
