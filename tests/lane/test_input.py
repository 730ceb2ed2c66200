"""Tests of the input of a lane: the bytes that wait, and frames that come in several reads."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._lane.input import ENOUGH, SMALL, Backlog, UnfinishedFrame

PIECES = st.lists(st.integers(1, 3 * SMALL), max_size=30)


class BacklogTests(SynchronousTestCase):
    """Bytes that wait."""

    def test_empty(self) -> None:
        """A new backlog has nothing."""
        backlog = Backlog()
        self.assertFalse(backlog)
        self.assertEqual(backlog.size, 0)

    def test_in_order(self) -> None:
        """What was received first comes out first, as the object that it was."""
        first, second = b"first", b"second"
        backlog = Backlog()
        backlog.add(first)
        backlog.add(second)
        self.assertTrue(backlog)
        self.assertEqual(backlog.size, 11)
        data, at = backlog.take()
        self.assertIs(data, first)
        self.assertEqual((at, backlog.size), (0, 6))
        self.assertEqual(backlog.take(), (second, 0))
        self.assertFalse(backlog)

    def test_put_back(self) -> None:
        """What was looked at in part comes before the rest, uncut, with an offset that holds for it alone."""
        first, second = b"first", b"second"
        backlog = Backlog()
        backlog.add(second)
        backlog.put_back(first, 2)
        self.assertEqual(backlog.size, 9)
        data, at = backlog.take()
        self.assertIs(data, first)
        self.assertEqual((at, backlog.size), (2, 6))
        self.assertEqual(backlog.take(), (second, 0))

    @given(st.lists(st.binary(min_size=1, max_size=9) | st.integers(1, 5)))
    def test_every_byte_once(self, events: list[bytes | int]) -> None:
        """However much is received, and looked at, at a time: every byte comes out once, in order."""
        backlog = Backlog()
        received = seen = b""
        for event in events:
            if isinstance(event, bytes):
                backlog.add(event)
                received += event
            elif backlog:
                data, at = backlog.take()
                seen += data[at : at + event]
                if at + event < len(data):
                    backlog.put_back(data, at + event)
            self.assertEqual(len(seen) + backlog.size, len(received))
        while backlog:
            data, at = backlog.take()
            seen += data[at:]
        self.assertEqual(seen, received)


class UnfinishedTests(SynchronousTestCase):
    """Collecting a frame."""

    def test_begun(self) -> None:
        """It knows what has come, how much there will be, and where the payload begins."""
        frame = UnfinishedFrame(b"head", b"", 20, 4, 0)
        self.assertEqual((frame.have, frame.need, frame.body), (4, 20, 4))
        self.assertEqual(frame.pieces(), [b"head"])
        frame = UnfinishedFrame(b"head", b"more", 0, 0, 0)
        self.assertEqual((frame.have, frame.seen_size), (8, 4))

    def test_large_pieces_are_kept(self) -> None:
        """Large pieces are not copied: a frame that passes leaves as the bytes that came."""
        start, second, third = b"h" * SMALL, b"a" * SMALL, b"b" * SMALL
        frame = UnfinishedFrame(start, b"", 10 * SMALL, 4, 0)
        frame.add(second)
        frame.add(third)
        self.assertEqual(frame.have, 3 * SMALL)
        for piece, came in zip(frame.pieces(), (start, second, third), strict=True):
            self.assertIs(piece, came)

    def test_small_pieces_are_merged(self) -> None:
        """A frame that comes byte by byte costs a piece for every 64 KiB, not for every byte."""
        frame = UnfinishedFrame(b"head", b"", 4 * ENOUGH, 4, 0)
        for _ in range(2 * ENOUGH + 1):
            frame.add(b"x")
        self.assertEqual([len(piece) for piece in frame.pieces()], [ENOUGH, ENOUGH, 5])

    def test_going_on_after_a_look(self) -> None:
        """The pieces can be asked for at any time."""
        frame = UnfinishedFrame(b"head", b"", 100, 4, 0)
        frame.add(b"a")
        self.assertEqual(frame.pieces(), [b"heada"])
        frame.add(b"b")
        self.assertEqual(frame.pieces(), [b"heada", b"b"])

    @given(st.binary(min_size=4, max_size=10), PIECES)
    def test_whole(self, start: bytes, sizes: list[int]) -> None:
        """The pieces are all bytes that came, in order."""
        pieces = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
        frame = UnfinishedFrame(start, b"", 100_000, 4, 0)
        for piece in pieces:
            frame.add(piece)
        self.assertEqual(frame.have, len(start) + sum(sizes))
        self.assertEqual(b"".join(frame.pieces()), start + b"".join(pieces))

    def test_empty_pieces(self) -> None:
        """A frame of which nothing has come has no pieces."""
        frame = UnfinishedFrame(b"", b"", 0, 0, 0)
        self.assertEqual((frame.pieces(), frame.have, frame.kept), ([], 0, 0))

    @given(st.lists(st.tuples(st.binary(max_size=9), st.integers(0, 20), st.booleans())), st.integers(-1, 20))
    def test_shown(self, reads: list[tuple[bytes, int, bool]], passes: int) -> None:
        """What was not seen is shown again, with what comes; every byte is kept once, or passed on once."""
        frame = UnfinishedFrame(b"a", b"bc", 0, 0, 0)
        came, passed = b"abc", b""
        for number, (data, seen, shows) in enumerate(reads):
            came += data
            if shows:
                unseen = frame.unseen_size
                shown = frame.show(data)
                self.assertEqual((len(shown), frame.unseen_size), (unseen + len(data), 0))
                seen = min(seen, len(shown))
                frame.see(shown, seen)
                passed += shown[:seen] if frame.passes else b""
            else:
                frame.add(data)
            if number == passes:
                passed += b"".join(frame.pass_on())
            self.assertEqual(frame.have, len(came))
            self.assertEqual(frame.kept, len(came) - len(passed))
        seen_bytes = passed if frame.passes else b"".join(frame.pieces())
        self.assertEqual(seen_bytes + frame.show(b""), came)

    def test_known(self) -> None:
        """Once the size is known, nothing need be shown again."""
        frame = UnfinishedFrame(b"a", b"bc", 0, 0, 0)
        frame.need = 10
        frame.see(frame.show(b"d"), 3)
        frame.add(b"e")
        self.assertEqual((b"".join(frame.pieces()), frame.have, frame.unseen_size), (b"abcde", 5, 0))

    def test_passed_on(self) -> None:
        """Once it passes, bytes that are seen are not kept."""
        frame = UnfinishedFrame(b"a", b"b", 0, 0, 0)
        self.assertEqual(frame.pass_on(), [b"a"])
        frame.see(frame.show(b"cd"), 2)
        self.assertEqual((frame.pieces(), frame.have, frame.kept, frame.unseen_size), ([], 4, 1, 1))
        frame.see(frame.show(b"e"), 2)
        self.assertEqual((frame.pieces(), frame.have, frame.kept), ([], 5, 0))
