"""Tests of the frames that a lane passes on in pieces: of which size, wanted by whom, and how they end."""

from __future__ import annotations

from typing import Any

from twisted_repeater.framings import DelimitedFraming
from twisted_repeater.framings.resp import RespFraming
from twisted_repeater.selectors import bytes_at, contains, first_byte

from .framings import FollowingLines, Parts, PatientParts, parts
from .lanes import LIMIT, Run, StartedLaneCase, frames

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
        """They are kept if a selector is there and not even the header is, or the framing follows its frames."""
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

    def test_size_comes_late(self) -> None:
        """They pass, too, if their size is not known before they end, but is where the payload begins."""
        array = b"*3\r\n$3\r\nSET\r\n$90000\r\n" + bytes(90_000) + b"\r\n$1\r\nx\r\n"
        lines = b"<" + b"ab\r" * 30_000 + b"\r\n"
        for make, stream, first in (
            (lambda: RespFraming(LIMIT, commands=True), array, b"*"),
            (lambda: DelimitedFraming(LIMIT, b"\r\n", start=b"<"), lines, b"a"),
            (lambda: DelimitedFraming(LIMIT, b"\r\n", start=b"<", whole=True), lines, b"<"),
        ):
            for selector, kept, asked in (
                (bytes_at(9, {b"GET"}), False, 0),
                (~first_byte(first), False, 0),
                (bytes_at(30 * KIB, {b"y"}), False, 0),
                (first_byte(first), True, 2),
                (contains({b"y"}), True, 0),
                (bytes_at(200 * KIB, {b"y"}), True, 0),
                (None, True, 2),
            ):
                run = Run(make(), selector=selector)
                run.feed(stream[:-1], 10_000)
                self.assertEqual(run.lane.kept_size > 2, kept, selector)
                self.assertEqual(len(run.outlet.stream) + run.lane.kept_size, len(stream) - 1)
                run.lane.feed(stream[-1:] + stream)
                self.assertTrue(run.outlet.stream == stream * 2)
                self.assertEqual((run.lane.messages, run.lane.size, len(run.asked)), (2, 2 * len(stream), asked))

    def test_size_comes_late_and_payload_too(self) -> None:
        """They are kept if it is not known where the payload begins, though a part of it may be there."""
        stream = parts(9, 9, 1)
        run = Run(Parts(), selector=first_byte(b"x"))
        run.lane.feed(stream[: 30 * KIB])
        self.assertEqual((run.lane.kept_size, run.outlet.stream), (30 * KIB, b""))
        run.lane.feed(stream[30 * KIB :])
        self.assertTrue(run.outlet.stream == stream)

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
