"""The parts of a message."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.hl7.structure import Level, delimiters_at, edited, parts_of, segments_of
from twisted_repeater.errors import ParseError

PIECES = st.lists(st.sampled_from([b"a", b"|", b"^", b"~", b"&", b""]), max_size=20).map(b"".join)


class DelimitersTests(SynchronousTestCase):
    """`delimiters_at`."""

    def test_usual_and_others(self) -> None:
        """Each message has its own delimiters, perhaps fewer, and its own end of segments."""
        self.assertEqual(delimiters_at(b"MSH|^~\\&|A\rPID\n", 0), (b"|", b"^", b"~", b"\\", b"&", b"\r"))
        self.assertEqual(delimiters_at(b"xMSH$%~?!#$A\n", 1), (b"$", b"%", b"~", b"?", b"!", b"\n"))
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
        self.assertEqual(self.names(b"MSH|^\r\nPID|b\r\n"), [b"MSH", b"PID", b""])


class EditedTests(SynchronousTestCase):
    """`parts_of` and `edited`."""

    @given(PIECES)
    def test_parts(self, data: bytes) -> None:
        """Parts are what `bytes.split` gives; without a delimiter it is one."""
        pieces = parts_of(data, 0, len(data), b"|")
        self.assertEqual([data[start:stop] for start, stop in pieces], data.split(b"|"))
        self.assertEqual(parts_of(data, 0, len(data), b""), [(0, len(data))])

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
