"""The parts of a message."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.hl7.structure import Level, delimiters_at, edited, named, parts_of, segments_of
from twisted_repeater.errors import ParseError

from .texts import PATIENT

PIECES = st.lists(st.sampled_from([b"a", b"|", b"^", b"~", b"&", b""]), max_size=20).map(b"".join)


class DelimitersTests(SynchronousTestCase):
    """`delimiters_at`."""

    def test_usual_and_others(self) -> None:
        """Each message has its own delimiters, perhaps fewer, and its own end of segments."""
        self.assertEqual(delimiters_at(b"MSH|^~\\&|A\rPID\n", 0), (b"|", b"^", b"~", b"\\", b"&", b"\r"))
        self.assertEqual(delimiters_at(b"xMSH$%~?!#$A\n", 1), (b"$", b"%", b"~", b"?", b"!", b"\n"))
        self.assertEqual(delimiters_at(b"MSH|^~\\&|A\n", 0), (b"|", b"^", b"~", b"\\", b"&", b"\n"))
        self.assertEqual(delimiters_at(b"MSH|^~|A\r\nPID", 0), (b"|", b"^", b"~", b"", b"", b"\r\n"))
        self.assertEqual(delimiters_at(b"MSH|^~\\&", 0), (b"|", b"^", b"~", b"\\", b"&", b"\r"))
        self.assertEqual(delimiters_at(b"MSH||A\r", 0)[1:], (b"", b"", b"", b"", b"\r"))


class SegmentsTests(SynchronousTestCase):
    """`segments_of`."""

    def names(self, data: bytes) -> list[bytes]:
        """Return the names of the segments."""
        return [each.name for each in segments_of(data, 0, delimiters_at(data, 0))]

    def test_ends(self) -> None:
        """The end of the first segment decides what ends the others; a line feed in a text is text."""
        self.assertEqual(self.names(b"MSH|^\rNTE|a\nPID|b\rZZZ"), [b"MSH", b"NTE", b"ZZZ"])
        self.assertEqual(self.names(b"MSH|^\nPID|b\nZZZ\n"), [b"MSH", b"PID", b"ZZZ"])
        self.assertEqual(self.names(b"MSH|^\nPID|b\rZZZ|\n"), [b"MSH", b"PID", b"ZZZ"])
        self.assertEqual(self.names(b"MSH|^\r\nPID|b\r\n"), [b"MSH", b"PID", b""])
        self.assertEqual(self.names(b"MSH|^\r \tPID|b"), [b"MSH", b"PID"])


class NamedTests(SynchronousTestCase):
    """`named`."""

    def found(self, data: bytes, *, loose: bool = False) -> list[bytes]:
        """Return the segments PID."""
        marks = delimiters_at(data, 0)
        return [data[each.start : each.stop] for each in named(data, b"PID", 0, marks, loose=loose)]

    def test_beginning(self) -> None:
        """A name counts where a segment begins, after blanks of whatever kind, and as a whole word."""
        self.assertEqual(
            self.found(b"MSH|^\rPID|1\rNTE|PID|2\r\n \xa0PID|3\rPIDX|4\rPID"), [b"PID|1", b"PID|3", b"PID"]
        )
        self.assertEqual(self.found(b"MSH|^\nNTE|\rPID|1\nPID|2\r"), [b"PID|1", b"PID|2"])

    def test_loose(self) -> None:
        """A line feed in a text counts only if one asks for it, and ends a segment only before another one."""
        data = b"MSH|^\rNTE|a\nPID|1|x\ny|\nNK1|2\rPID|3\r"
        self.assertEqual(self.found(data), [b"PID|3"])
        self.assertEqual(self.found(data, loose=True), [b"PID|1|x\ny|", b"PID|3"])

    @given(st.lists(st.sampled_from([b"PID|", b"|", b"\r", b"NTE|", b" "]), max_size=30).map(b"".join))
    def test_same(self, data: bytes) -> None:
        """It finds what a look at all segments finds."""
        marks = delimiters_at(PATIENT, 0)
        every = [each for each in segments_of(data, 0, marks) if each.name == b"PID"]
        self.assertEqual(named(data, b"PID", 0, marks), every)

    def test_too_many(self) -> None:
        """Nobody wants so many segments, or repetitions, that a list of them fills the memory."""
        with self.assertRaisesRegex(ParseError, "more than 100000 segments PID"):
            self.found(b"MSH|^\r" + b"PID\r" * 100_001)
        with self.assertRaisesRegex(ParseError, "more than 100000 repetitions"):
            parts_of(b"~" * 100_001, 0, 100_001, Level(b"~", None))


class EditedTests(SynchronousTestCase):
    """`parts_of` and `edited`."""

    @given(PIECES)
    def test_parts(self, data: bytes) -> None:
        """Parts are what `bytes.split` gives; without a delimiter it is one."""
        pieces = parts_of(data, 0, len(data), Level(b"|", None))
        self.assertEqual([data[start:stop] for start, stop in pieces], data.split(b"|"))
        for number in range(len(pieces) + 1):
            self.assertEqual(parts_of(data, 0, len(data), Level(b"|", number)), pieces[number : number + 1])
        self.assertEqual(parts_of(data, 0, len(data), Level(b"", None)), [(0, len(data))])

    @given(PIECES, st.lists(st.tuples(st.sampled_from([b"|", b"^", b"~", b"&"]), st.none() | st.integers(0, 5))))
    def test_nothing_changes(self, data: bytes, levels: list[tuple[bytes, int | None]]) -> None:
        """If a part is replaced by itself, all bytes stay as they are."""
        way = tuple(Level(*level) for level in levels)
        self.assertEqual(edited(data, data, (0, len(data)), way, lambda old: old), data)

    def test_missing(self) -> None:
        """A part that is missing is added with as many delimiters as it needs, if there is something to add."""
        way = (Level(b"|", 3), Level(b"~", None), Level(b"^", 1))
        self.assertEqual(edited(b"PID|1", b"PID|1", (0, 5), way, lambda old: b"x"), b"PID|1||^x")
        self.assertEqual(edited(b"PID|1", b"PID|1", (0, 5), way, lambda old: b""), b"PID|1")

    def test_no_delimiter(self) -> None:
        """Without a delimiter there is one part, and no second can be added."""
        self.assertEqual(edited(b"a", b"a", (0, 1), (Level(b"", 0),), lambda old: b"x"), b"x")
        with self.assertRaisesRegex(ParseError, "the message has no delimiter for a part that is not the first"):
            edited(b"a", b"a", (0, 1), (Level(b"", 1),), lambda old: b"x")
