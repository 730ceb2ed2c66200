"""The plain dialects: ``length``, ``varint``, ``lines`` and ``delimited``."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Limits, SameName, dialects
from twisted_repeater.codecs import text
from twisted_repeater.dialects import Dialect, server_first


def payloads(dialect: Dialect, stream: bytes) -> list[bytes]:
    """Return the payloads of a stream of whole frames."""
    framing: Any = dialect.framing(Limits())
    found = []
    at = 0
    while at < len(stream):
        stop = framing.find(stream, at, len(stream))
        found.append(stream[framing.body : stop - framing.tail])
        at = stop
    return found


def encoded(dialect: Dialect, payload: bytes) -> bytes:
    """Return the frame of a payload."""
    framing: Any = dialect.framing(Limits())
    frame: bytes = framing.encode(payload)
    return frame


class PlainTests(SynchronousTestCase):
    """All of them."""

    def test_openings(self) -> None:
        """Either side may speak first, and names are shared."""
        for dialect in (
            dialects.length(),
            dialects.varint(),
            dialects.lines(),
            dialects.delimited(end=b"\0"),
        ):
            self.assertIs(dialect.opening, server_first)
            self.assertIs(dialect.same_name, SameName.SHARE)
            self.assertIs(dialect.max_frame, None)

    def test_names(self) -> None:
        """Each has the name by which it is chosen."""
        made = [dialects.length(), dialects.varint(), dialects.lines(), dialects.delimited(end=b"\0")]
        self.assertEqual([dialect.name for dialect in made], ["length", "varint", "lines", "delimited"])

    def test_parts(self) -> None:
        """A longest payload and codecs may be said."""
        codec = text()
        for make in (dialects.length, dialects.varint, dialects.lines):
            dialect = make(max_frame=10, to_server=codec)
            self.assertEqual(dialect.max_frame, 10)
            self.assertIs(dialect.to_server.codec(1), codec)
        self.assertIs(dialects.delimited(end=b"\0", to_client=codec).to_client.codec(1), codec)

    def test_two_framings(self) -> None:
        """Each direction of each link has a framing of its own."""
        framings = dialects.lines().framings(Limits())
        self.assertIsNot(framings.to_server, framings.to_client)


class LengthTests(SynchronousTestCase):
    """``length``."""

    def test_usual(self) -> None:
        """By default it is a length of four bytes, and the payload."""
        self.assertEqual(payloads(dialects.length(), b"\0\0\0\x02ab\0\0\0\0"), [b"ab", b""])
        self.assertEqual(encoded(dialects.length(), b"ab"), b"\0\0\0\x02ab")

    def test_length_of_the_frame(self) -> None:
        """A length may count itself."""
        dialect = dialects.length(size=2, order="little", adds=-2)
        self.assertEqual(payloads(dialect, b"\x04\0ab\x02\0"), [b"ab", b""])
        self.assertEqual(encoded(dialect, b"ab"), b"\x04\0ab")

    def test_whole(self) -> None:
        """Filters see the whole frame where the header has more than the length, or if they shall."""
        modbus = b"\0\1\0\0\0\x02ab"
        self.assertEqual(payloads(dialects.length(size=2, at=4), modbus), [modbus])
        self.assertEqual(payloads(dialects.length(size=1, header=4, adds=3), b"\x02xyzab"), [b"\x02xyzab"])
        self.assertEqual(payloads(dialects.length(size=1, header=1), b"\x02ab"), [b"ab"])
        self.assertEqual(payloads(dialects.length(size=1, whole=True), b"\x02ab"), [b"\x02ab"])

    def test_wrong(self) -> None:
        """A frame that cannot be is told at once, not with the first client."""
        wrong: Any = 5
        error = self.assertRaises(ValueError, dialects.length, size=wrong)
        self.assertEqual(str(error), "size must be 1, 2, 3, 4 or 8, not 5")
        self.assertRaises(ValueError, dialects.length, at=4, whole=False)


class VarintTests(SynchronousTestCase):
    """``varint``."""

    def test_usual(self) -> None:
        """By default it is a length of seven bits a byte, and the payload."""
        long = bytes(300)
        self.assertEqual(payloads(dialects.varint(), b"\x02ab\xac\x02" + long), [b"ab", long])
        self.assertEqual(encoded(dialects.varint(), long), b"\xac\x02" + long)

    def test_whole(self) -> None:
        """Filters see the whole frame where something is before the length, or if they shall."""
        self.assertEqual(payloads(dialects.varint(at=1), b"\x30\x02ab"), [b"\x30\x02ab"])
        self.assertEqual(payloads(dialects.varint(whole=True), b"\x02ab"), [b"\x02ab"])

    def test_wrong(self) -> None:
        """A frame that cannot be is told at once."""
        self.assertRaises(ValueError, dialects.varint, max_bytes=0)


class LinesTests(SynchronousTestCase):
    """``lines``."""

    def test_usual(self) -> None:
        """A line ends with a line feed; a carriage return before it belongs to the line."""
        self.assertEqual(payloads(dialects.lines(), b"one\ntwo\r\n\n"), [b"one", b"two\r", b""])
        self.assertEqual(encoded(dialects.lines(), b"two\r"), b"two\r\n")

    def test_other_ends(self) -> None:
        """If all lines end with both, neither belongs to the line."""
        dialect = dialects.lines(end=b"\r\n")
        self.assertEqual(payloads(dialect, b"one\r\ntwo\nthree\r\n"), [b"one", b"two\nthree"])
        self.assertEqual(encoded(dialect, b"one"), b"one\r\n")

    def test_wrong(self) -> None:
        """An empty end is told at once."""
        self.assertRaises(ValueError, dialects.lines, end=b"")


class DelimitedTests(SynchronousTestCase):
    """``delimited``."""

    def test_marks(self) -> None:
        """A frame has a mark at its end, and one at its beginning if there is one."""
        mllp = dialects.delimited(start=b"\x0b", end=b"\x1c\r")
        self.assertEqual(payloads(mllp, b"\x0bMSH|1\x1c\r\x0bMSH|2\x1c\r"), [b"MSH|1", b"MSH|2"])
        self.assertEqual(encoded(mllp, b"MSH|1"), b"\x0bMSH|1\x1c\r")
        self.assertEqual(payloads(dialects.delimited(end=b"\0"), b"a\0\0"), [b"a", b""])

    def test_whole(self) -> None:
        """Filters see the marks if they shall."""
        self.assertEqual(payloads(dialects.delimited(end=b"\0", whole=True), b"a\0"), [b"a\0"])
