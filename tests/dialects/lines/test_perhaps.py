"""The selector of lines in which an expression may match."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.lines.perhaps import Perhaps
from twisted_repeater.selectors import reach_of


class Looking:
    """Says that an expression may match where an ``x`` is, and keeps what it was asked about."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def __call__(self, lines: memoryview) -> bool:
        """Look at some lines."""
        self.seen.append(bytes(lines))
        return b"x" in self.seen[-1]


def selected(selector: Perhaps, data: bytes) -> list[bytes]:
    """Return the lines of a read that are selected."""
    at, found = 0, []
    while at < len(data):
        stop = data.index(b"\n", at)
        if selector.matches(data, at, stop):
            found.append(data[at:stop])
        at = stop + 1
    return found


class PerhapsTests(SynchronousTestCase):
    """`Perhaps`."""

    def test_many_at_once(self) -> None:
        """All lines of a read cost one look, and none is selected if it finds nothing."""
        look = Looking()
        self.assertEqual(selected(Perhaps(look, closes=True), b"a\r\nb\nc\n"), [])
        self.assertEqual(look.seen, [b"a\r\nb\nc\n"])

    def test_found(self) -> None:
        """If it finds something, all lines that were looked at are selected."""
        self.assertEqual(selected(Perhaps(Looking(), closes=False), b"a\nxy\nc\n"), [b"a", b"xy", b"c"])

    def test_far_lines(self) -> None:
        """A look goes as far as some thousands of bytes, or to the end of a line that is longer."""
        look = Looking()
        lines = [b"a" * 3000, b"b" * 3000, b"c" * 9000, b"x"]
        self.assertEqual(selected(Perhaps(look, closes=False), b"\n".join(lines) + b"\n"), lines[3:])
        self.assertEqual([len(seen) for seen in look.seen], [4096, 4096, 9000, 2])

    def test_a_lone_line(self) -> None:
        """Without a look, a line is selected that is alone in its read, or is a payload by itself."""
        look = Looking()
        selector = Perhaps(look, closes=False)
        for data, stop in ((b"a", 1), (b"a\n", 1), (b"a\r\n", 2), (b"a\r\n", 1)):
            self.assertTrue(selector.matches(data, 0, stop))
        self.assertEqual(look.seen, [])

    def test_reads_in_turn(self) -> None:
        """What was found in one read is not believed of another one, nor of an earlier part of the same."""
        selector = Perhaps(Looking(), closes=False)
        first, second = b"ax\nbbb\nccc\n", b"dd\nee\nff\n"
        for data, start, found in ((first, 3, False), (second, 0, False), (first, 0, True), (second, 3, False)):
            self.assertEqual(selector.matches(data, start, start + 2), found)

    def test_lone_bytes(self) -> None:
        """If lines that may not be one line are refused, those with a CR, LF or NUL before their end are selected."""
        for line, lone in (
            (b"a", False), (b"", False), (b"\r", False), (b"a\r", False), (b"\t\x0b\x0c\x0e", False),
            (b"a\0", True), (b"a\rb", True), (b"a\r\r", True), (b"a\nb", True), (b"a\n", True), (b"\0\r", True),
        ):  # fmt: skip
            data = line + b";other;"
            self.assertEqual(Perhaps(Looking(), closes=True).matches(data, 0, len(line)), lone, line)
            self.assertFalse(Perhaps(Looking(), closes=False).matches(data, 0, len(line)))

    def test_an_error(self) -> None:
        """An error of the look is raised; the next line is looked at again."""
        answers: Any = iter([False, ZeroDivisionError(), False])

        def look(lines: memoryview) -> bool:
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return bool(answer)

        selector = Perhaps(look, closes=False)
        self.assertFalse(selector.matches(b"a\nb\nc\n", 0, 1))
        with self.assertRaises(ZeroDivisionError):
            selector.matches(b"d\ne\nf\n", 0, 1)
        self.assertFalse(selector.matches(b"d\ne\nf\n", 2, 3))

    def test_whole_lines_are_needed(self) -> None:
        """The beginning of a line decides nothing."""
        self.assertEqual(reach_of(Perhaps(Looking(), closes=True)), 0)

    def test_wrong_use(self) -> None:
        """Offsets outside of the data, and an object without a function, raise errors."""
        for start, stop in ((-1, 1), (2, 1), (0, 9)):
            with self.assertRaisesRegex(ValueError, "outside|within"):
                Perhaps(Looking(), closes=True).matches(b"abc", start, stop)
        with self.assertRaises(AttributeError):
            Perhaps(None, closes=True).matches(b"abc", 0, 1)  # type: ignore[arg-type]

    def test_repr(self) -> None:
        """It says what it selects."""
        self.assertEqual(repr(Perhaps(Looking(), closes=False)), "<selector of lines that may match>")
        self.assertIn("not one line", repr(Perhaps(Looking(), closes=True)))
