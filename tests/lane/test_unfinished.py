"""Tests of frames that come in several reads."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._lane.input import ENOUGH, SMALL, UnfinishedFrame

PIECES = st.lists(st.integers(1, 3 * SMALL), max_size=30)


class UnfinishedTests(SynchronousTestCase):
    """Collecting a frame."""

    def test_begun(self) -> None:
        """It knows what has come, how much there will be, and where the payload begins."""
        frame = UnfinishedFrame(b"head", 20, 4)
        self.assertEqual((frame.have, frame.need, frame.body), (4, 20, 4))
        self.assertEqual(frame.pieces(), [b"head"])

    def test_large_pieces_are_kept(self) -> None:
        """Large pieces are not copied: a frame that passes leaves as the bytes that came."""
        start, second, third = b"head", b"a" * SMALL, b"b" * SMALL
        frame = UnfinishedFrame(start, 10 * SMALL, 4)
        frame.add(second)
        frame.add(third)
        self.assertEqual(frame.have, 4 + 2 * SMALL)
        for piece, came in zip(frame.pieces(), (start, second, third), strict=True):
            self.assertIs(piece, came)

    def test_small_pieces_are_merged(self) -> None:
        """A frame that comes byte by byte costs a piece for every 64 KiB, not for every byte."""
        frame = UnfinishedFrame(b"head", 4 * ENOUGH, 4)
        for _ in range(2 * ENOUGH + 1):
            frame.add(b"x")
        self.assertEqual([len(piece) for piece in frame.pieces()], [4, ENOUGH, ENOUGH, 1])

    def test_going_on_after_a_look(self) -> None:
        """The pieces can be asked for at any time."""
        frame = UnfinishedFrame(b"head", 100, 4)
        frame.add(b"a")
        self.assertEqual(frame.pieces(), [b"head", b"a"])
        frame.add(b"b")
        self.assertEqual(frame.pieces(), [b"head", b"a", b"b"])

    @given(st.binary(min_size=4, max_size=10), PIECES, st.binary(max_size=10))
    def test_whole(self, start: bytes, sizes: list[int], rest: bytes) -> None:
        """The pieces are all that came, in order; with the rest of the frame they give the payload."""
        pieces = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
        frame = UnfinishedFrame(start, len(start) + sum(sizes) + len(rest), 4)
        for piece in pieces:
            frame.add(piece)
        self.assertEqual(frame.have, len(start) + sum(sizes))
        self.assertEqual(frame.payload(memoryview(rest)), (start + b"".join(pieces) + rest)[4:])
        self.assertEqual(b"".join(frame.pieces()), start + b"".join(pieces))
