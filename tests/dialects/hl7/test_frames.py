"""What is in a frame."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.hl7 import Batch, Filler, Message, Raw
from twisted_repeater.dialects.hl7.frames import header_in, headers_in

from .texts import PATIENT


class FrameTests(SynchronousTestCase):
    """`Raw`, `Filler` and the base of messages."""

    def test_equal(self) -> None:
        """Two frames of one class are equal if their bytes are."""
        self.assertEqual(Raw(b"a"), Raw(b"a"))
        self.assertEqual(hash(Raw(b"a")), hash(Raw(b"a")))
        self.assertNotEqual(Raw(b"a"), Raw(b"b"))
        self.assertNotEqual(Raw(b"\n"), Filler(b"\n"))
        self.assertEqual(bytes(Raw(b"a")), b"a")

    def test_repr(self) -> None:
        """Its beginning is shown, and whether there is more."""
        self.assertEqual(repr(Raw(b"a")), "Raw(b'a')")
        self.assertEqual(repr(Raw(b"a" * 100)), f"Raw(b'{'a' * 64}'...)")

    def test_repr_of_message(self) -> None:
        """Of a message the header and the size are shown, and nothing about a patient."""
        header = r"MSH|^~\\&|REG|NORTH|LAB|SOUTH|20240101||ADT^A01^ADT_A01|ID1|P|2.5||"
        self.assertEqual(repr(Message(PATIENT)), f"Message(b'{header}', {len(PATIENT)} bytes)")
        self.assertEqual(repr(Message(b"\nMSH|^\nPID|1")), "Message(b'MSH|^', 12 bytes)")
        self.assertEqual(repr(Batch(b"BHS|" + b"x" * 200)), f"Batch(b'BHS|{'x' * 146}', 204 bytes)")

    def test_header(self) -> None:
        """White space of all kinds and the mark of UTF-8 may be before the header, as servers may skip them."""
        self.assertEqual(header_in(b"MSH|"), (b"MSH", 0))
        self.assertEqual(header_in(b"\xef\xbb\xbf\r\n \0BHS|"), (b"BHS", 7))
        for data in (b"", b"MSH", b"MSH\r", b"PID|1", b"xMSH|", b"msh|"):
            self.assertIsNone(header_in(data), data)

    def test_several(self) -> None:
        """A second MSH counts only where a segment begins; a line feed in a text begins none."""
        for data, expected in (
            (b"MSH|^\rNTE|\nMSH text\r", [0]),
            (b"MSH|^\rMSH\r", [0]),
            (b"MSH|^\rNTE|MSH|^\r", [0]),
            (b"MSH|^\rMSH|^\r", [0, 6]),
            (b"MSH|^\nMSH|^\n", [0, 6]),
            (b"MSH|^\r\nMSH|^\r\n", [0, 7]),
            (b"MSH|^\r \xc2\xa0MSH|^\r", [0, 9]),
            (b"MSH|^\rNTE|\nMSH|^\r", [0, 11]),
            (b"BHS|^\r", []),
        ):
            self.assertEqual(headers_in(data, 0), expected, data)


class HeadedTests(SynchronousTestCase):
    """What messages and batches have in common."""

    def test_fields_of_the_header(self) -> None:
        """Fields are read by their numbers; those that are missing are empty."""
        message = Message(PATIENT)
        self.assertEqual(message.delimiters.field, b"|")
        self.assertEqual(message.header_field(3), b"REG")
        self.assertEqual(message.header_field(9), b"ADT^A01^ADT_A01")
        self.assertEqual(Message(b"MSH|^~\\&" + b"|x" * 20).header_field(19), b"")
        self.assertEqual(message.header_text(9), "ADT")
        self.assertEqual(Message(b"MSH||a^b").header_text(3), "a^b")

    def test_segments(self) -> None:
        """The names of the segments are in order; what is empty is none."""
        self.assertEqual(Message(PATIENT).segments, ("MSH", "PID", "NK1", "NK1", "NTE"))
        self.assertEqual(Message(b"MSH|^~\\&|\r\n\r\nZ\r\n").segments, ("MSH", "Z"))

    def test_charset(self) -> None:
        """The first repetition of MSH-18 says the character set, or else the default."""
        fields = b"|||||||||||||||"
        self.assertEqual(Message(b"MSH|^~\\&" + fields + b"|8859/1~8859/2\r").charset.name, "iso8859-1")
        message = Message(b"MSH|^~\\&\r", charset="latin-1")
        self.assertEqual(message.charset.name, "latin-1")
        self.assertEqual(message.segments, message.segments)
