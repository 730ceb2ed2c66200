"""Tests of the frames that a lane passes on in pieces: of which size, wanted by whom, and how they end."""

from __future__ import annotations

from typing import Any

from twisted_repeater.selectors import bytes_at, contains, first_byte

from .framings import FollowingLines, PatientParts, parts
from .lanes import Run, StartedLaneCase, frames

KIB = 1024


class PassingTests(StartedLaneCase):
    """Frames that nobody wants to see, or of which that is not known yet."""

    def begin(self, size: int = 100 * KIB, **changes: Any) -> bytes:
        """Let the first 10 KiB of a frame come, byte by byte at first; return the rest."""
        self.equip(**changes)
        stream = frames(b"B" * size)
        for at in range(20):
            self.lane.feed(stream[at : at + 1])
        self.lane.feed(stream[20 : 10 * KIB])
        return stream[10 * KIB :]

    def end(self, rest: bytes) -> None:
        """Let the rest come; the frame has left whole then, and is counted."""
        stream = b"".join([frames(b"B" * 100 * KIB)[: -len(rest)], rest])
        self.lane.feed(rest)
        self.assertTrue(self.forward.stream == stream)
        self.assertEqual((self.lane.messages, self.lane.size, self.lane.kept_size), (1, len(stream), 0))
        self.assertFalse(self.forward.part)

    def test_no_filter(self) -> None:
        """Without a filter they pass."""
        rest = self.begin(filter=None)
        self.assertEqual((len(self.forward.stream), self.lane.kept_size), (10 * KIB, 0))
        self.assertEqual(self.lane.unfinished_size, 10 * KIB)
        self.end(rest)

    def test_small(self) -> None:
        """Small ones do not."""
        self.begin(16 * KIB - 5, filter=None)
        self.assertEqual((self.forward.stream, self.lane.kept_size), (b"", 10 * KIB))

    def test_selected(self) -> None:
        """With a selector they pass as soon as it is known that the filter does not want them."""
        for selector in (first_byte(b"A"), bytes_at(50, {b"AB"}), ~first_byte(b"B"), contains(())):
            self.setUp()
            rest = self.begin(selector=selector)
            self.assertEqual((len(self.forward.stream), self.lane.kept_size), (10 * KIB, 0))
            self.end(rest)
            self.assertEqual(self.asked, [])

    def test_wanted(self) -> None:
        """They are kept if it wants them, or may want them."""
        for selector in (None, first_byte(b"B"), contains({b"A"}), bytes_at(20 * KIB, {b"A"})):
            self.setUp()
            rest = self.begin(selector=selector)
            self.assertEqual((len(self.forward.stream), self.lane.kept_size), (0, 10 * KIB))
            self.lane.feed(rest[:-1])
            passes = selector is not None and "20480" in repr(selector)
            self.assertEqual(self.forward.part, passes)
            self.end(rest[-1:])

    def test_all_seen(self) -> None:
        """They are kept if all that is decided must be told."""
        self.begin(filter=None, on_decision=lambda *decision: None)
        self.assertEqual(len(self.forward.stream), 0)

    def test_size_not_known(self) -> None:
        """They are kept if a selector is there and the size is not known, or the framing follows its frames."""
        self.lane.feed(b"\0\0")
        self.assertEqual(self.lane.kept_size, 2)
        self.framing = FollowingLines()  # type: ignore[assignment]
        self.setUp()
        self.equip(filter=None)
        self.lane.feed(b"x" * 30 * KIB)
        self.assertEqual(self.lane.kept_size, 30 * KIB)

    def test_choked(self) -> None:
        """A lane may be stopped inside of a frame, and go on there."""
        rest = self.begin(filter=None)
        self.forward.full = True
        self.lane.feed(rest[:10])
        self.lane.feed(rest[10:-10])
        self.assertEqual(len(self.forward.stream), 10 * KIB + 10)
        self.forward.full = False
        self.lane.unchoke()
        self.end(rest[-10:])

    def test_torn(self) -> None:
        """If the rest will not come, the outlet is told, once."""
        self.begin(filter=None)
        self.journal.clear()
        self.lane.drop_unfinished()
        self.lane.discard()
        self.assert_journal("forward: torn")

    def test_kept_ones_are_not_torn(self) -> None:
        """A frame of which nothing has left is dropped in silence."""
        self.begin()
        self.journal.clear()
        self.lane.discard()
        self.assert_journal()

    def test_nothing_to_look_at(self) -> None:
        """A read that brings a frame no further, as its framing says, is kept until there is more of it."""
        stream = parts(9, 1)
        run = Run(PatientParts())
        run.lane.feed(stream[: 20 * KIB])
        asked = run.framing.calls
        run.lane.feed(stream[20 * KIB : 40 * KIB])
        self.assertEqual((run.framing.calls, run.outlet.stream), (asked, b""))
        run.lane.feed(stream[40 * KIB :])
        self.assertTrue(run.outlet.stream == stream)
