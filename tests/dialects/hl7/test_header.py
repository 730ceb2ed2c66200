"""The bytes of a frame, and the fields of its header."""

from __future__ import annotations

import copy
import pickle

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.hl7.header import SHOWN, Frame, Header, message_at, read_plain
from twisted_repeater.dialects.hl7.structure import USUAL, delimiters_at

MESSAGE = b"MSH|^~\\&|A|B||D|7||ADT^A01|12|P|2.5\rPID|1|x\r"
texts = st.lists(st.sampled_from([b"|", b"^", b"M", b"S", b"MSH", b"\r", b"\n", b"\r\n", b"x", b"\xff"])).map(b"".join)


class FrameTests(SynchronousTestCase):
    """`Frame`."""

    def test_bytes(self) -> None:
        """Two frames are equal if they are of one class and have the same bytes, which are shown if they are few."""
        one, other = Frame(b"x"), Frame(bytes(bytearray(b"x")))
        self.assertEqual((one, hash(one), bytes(one)), (other, hash(other), b"x"))
        self.assertNotEqual(one, Frame(b"y"))
        self.assertNotEqual(one, Header(b"x", -1, "utf-8"))
        self.assertEqual(repr(one), "Frame(b'x')")
        self.assertEqual(repr(Frame(b"x" * (SHOWN + 1))), f"Frame({b'x' * SHOWN!r}...)")

    def test_copied(self) -> None:
        """A frame can be copied and pickled."""
        made = Header(MESSAGE, 0, "utf-8")
        made.header_field(1)
        for again in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
            self.assertEqual((again, again.header_field(9)), (made, b"ADT^A01"))


class HeaderTests(SynchronousTestCase):
    """`Header`."""

    def test_fields(self) -> None:
        """The first eighteen fields of the header are found, and none that is not there."""
        found = Header(b"\n" + MESSAGE, 1, "utf-8")
        said = [found.header_field(number) for number in (1, 2, 3, 5, 9, 12, 13, 18, 19, 0, -1)]
        self.assertEqual(said, [b"MSH", b"^~\\&", b"A", b"", b"ADT^A01", b"2.5", b"", b"", b"", b"", b""])
        long = Header(b"MSH" + b"|x" * 30, 0, "utf-8")
        self.assertEqual((long.header_field(18), long.header_field(19)), (b"x", b""))

    @given(texts, st.integers(1, 18))
    def test_judged(self, text: bytes, number: int) -> None:
        """A field is what it is for one who splits the whole header, whatever its delimiters are."""
        for data in (b"MSH|^~\\&|" + text, b"MSH|" + text, b"MSHM" + text, b"MSH" + text):
            if data[3:4] in b"\r\n":
                continue
            delimiters = delimiters_at(data, 0)
            fields = data.split(delimiters.segment, 1)[0].split(delimiters.field)
            found = Header(data, 0, "utf-8")
            self.assertEqual(found.header_field(number), fields[number - 1] if number <= len(fields) else b"")
            self.assertEqual(found.delimiters, delimiters)

    def test_delimiters(self) -> None:
        """The usual delimiters are one object, also if nothing else was asked for."""
        self.assertIs(Header(MESSAGE, 0, "utf-8").delimiters, USUAL)
        self.assertEqual(Header(b"MSH|^~\\&|A\r\n", 0, "utf-8").delimiters.segment, b"\r\n")

    def test_no_header(self) -> None:
        """Where no header is, or not a whole one, no byte is read."""
        for found in (Header(b"MSH|", -1, "utf-8"), Header(b"xMSH", 1, "utf-8"), Header.__new__(Header)):
            self.assertRaises(AttributeError, found.header_field, 1)
            self.assertRaises(AttributeError, getattr, found, "delimiters")


class ReadTests(SynchronousTestCase):
    """`read_plain` and `message_at`."""

    def test_plain(self) -> None:
        """What begins with MSH, and has it once, is a message of the class that was asked for."""

        class Own(Header): ...

        found = read_plain(Own, MESSAGE, "latin-1")
        assert found is not None
        self.assertEqual((type(found), bytes(found), found.default_charset), (Own, MESSAGE, "latin-1"))
        self.assertEqual(found.header_field(10), b"12")

    def test_others(self) -> None:
        """Anything else needs a closer look."""
        for data in (b"", b"MSH", b"MSH\r", b"MSH\n", b"\nMSH|", b"BHS|", MESSAGE + MESSAGE):
            self.assertIsNone(read_plain(Header, data, "utf-8"))

    def test_at(self) -> None:
        """A message may begin behind other bytes."""
        self.assertEqual(message_at(Header, b"\n\n" + MESSAGE, 2, "utf-8").header_field(9), b"ADT^A01")
