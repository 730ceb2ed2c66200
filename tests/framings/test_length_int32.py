"""Tests of `Int32Framing`: judged by Twisted's own receiver, whole, byte by byte and cut at random."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from twisted.protocols.basic import Int32StringReceiver
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.errors import FrameTooLong
from twisted_repeater.framings import length as length_module
from twisted_repeater.framings.length import Int32Framing

from .streams import CUTS, frames_in, reads_of, skipped_by_find

LIMIT = 1000

PAYLOADS = st.lists(st.binary(max_size=40) | st.integers(100, LIMIT).map(bytes), max_size=12)


class Judge(Int32StringReceiver):
    """Twisted's receiver, which keeps what it receives."""

    MAX_LENGTH = LIMIT

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.refused: int | None = None

    def stringReceived(self, string: bytes) -> None:
        """See `Int32StringReceiver`."""
        self.received.append(string)

    def lengthLimitExceeded(self, length: int) -> None:
        """See `Int32StringReceiver`."""
        self.refused = length
        super().lengthLimitExceeded(length)


class Int32JudgedTests(SynchronousTestCase):
    """``int32`` frames against Twisted's receiver."""

    def judge(self, reads: Iterable[bytes]) -> None:
        """Read a stream in both ways: the strings, and the length that is refused, must be the same."""
        judge = Judge()
        judge.makeConnection(StringTransport())
        found: list[bytes] = []
        refused = None
        reads = list(reads)
        for read in reads:
            if judge.refused is None:  # it has closed the connection then, which this transport only notes
                judge.dataReceived(read)
        try:
            for _, payload in frames_in(Int32Framing(LIMIT), reads):
                found.append(payload)
        except FrameTooLong as error:
            refused = error.size
            self.assertEqual(error.limit, LIMIT)
        self.assertEqual((found, refused), (judge.received, judge.refused))

    @given(PAYLOADS, CUTS)
    def test_frames(self, payloads: list[bytes], cuts: list[int]) -> None:
        """What is encoded is found again, however it is cut."""
        stream = b"".join(map(Int32Framing(LIMIT).encode, payloads))
        self.judge([stream])
        self.judge(reads_of(stream, range(len(stream))))
        self.judge(reads_of(stream, cuts))

    @given(st.lists(st.binary(max_size=9) | st.sampled_from([b"\0\0\0", b"\0\0\0\2", b"\0\0\3\xe9"])), CUTS)
    @example([b"\0\0\0\0\1\0\0\0\0"], [8])
    def test_garbage(self, pieces: list[bytes], cuts: list[int]) -> None:
        """Bytes that are not frames are understood, or refused, in the same way."""
        stream = b"".join(pieces)
        self.judge([stream])
        self.judge(reads_of(stream, cuts))

    @given(PAYLOADS)
    def test_encode(self, payloads: list[bytes]) -> None:
        """A frame is the bytes that Twisted sends."""
        judge, transport = Judge(), StringTransport()
        judge.makeConnection(transport)
        for payload in payloads:
            judge.sendString(payload)
        self.assertEqual(b"".join(map(Int32Framing(LIMIT).encode, payloads)), transport.value())


class Int32LengthTests(SynchronousTestCase):
    """A length is read in one way where the module runs compiled, in another where it does not."""

    def test_both_ways(self) -> None:
        """Each way reads every byte of it, wherever it stands."""
        for compiled in (False, True):
            if hasattr(length_module, "COMPILED"):  # not compiled: here the other way can run too
                self.patch(length_module, "COMPILED", compiled)
            int32 = Int32Framing(2**32 - 1)
            for size in (0, 1, 255, 256, 65_535, 65_536, 0x01020304, 2**31, 2**32 - 1):
                data = b"..." + size.to_bytes(4, "big")
                self.assertEqual((int32.find(data, 3, len(data)), int32.body), (7 + size, 7))

    @given(PAYLOADS, st.binary(max_size=30), st.integers(0, 40))
    def test_skip(self, payloads: list[bytes], behind: bytes, short: int) -> None:
        """Skipping ends where finding frame by frame ends, whatever follows or is missing."""
        framing = Int32Framing(LIMIT)
        data = b"".join(map(framing.encode, payloads))
        data = data[: max(0, len(data) - short)] if short < 20 else data + behind
        at, count = skipped_by_find(framing, data)
        self.assertEqual((framing.skip(data, 0, len(data)), framing.count), (at, count))
        self.assertRaises(ValueError, framing.skip, data, 0, len(data) + 1)
        self.assertRaises(ValueError, framing.find, data, -1, len(data))
