"""The character sets of messages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.hl7.charsets import NAMES, UNKNOWN, Charset, charset_of, checked_charset
from twisted_repeater.errors import ParseError

ONE_BYTE = ["ascii", "utf-8", "latin-1", "iso8859-15"]


class CharsetTests(SynchronousTestCase):
    """`Charset` and `charset_of`."""

    def test_every_name(self) -> None:
        """Python has each character set that MSH-18 may name."""
        for name in NAMES:
            self.assertEqual(charset_of([name], "utf-8").encode("MSH|"), b"MSH|", name)

    def test_which(self) -> None:
        """MSH-18 counts in whatever case; without it the default does; an unknown name is bytes as characters."""
        self.assertEqual(charset_of([" unicode utf-8 "], "latin-1").name, "utf-8")
        self.assertEqual(charset_of([""], "latin-1").name, "latin-1")
        self.assertEqual(charset_of(["CNS 11643-1992"], "utf-8").name, UNKNOWN)
        self.assertIs(charset_of(["8859/1"], "utf-8"), charset_of(["8859/1"], "ascii"))

    def test_several(self) -> None:
        """The first name counts, but the one of Japanese characters, which have delimiters among their bytes."""
        self.assertEqual(charset_of(["8859/1", "8859/2"], "utf-8").name, "iso8859-1")
        self.assertEqual(charset_of([], "utf-8").name, "utf-8")
        for names in (["", "ISO IR87"], ["ASCII", "ISO IR87"], ["ISO IR87"]):
            self.assertEqual(charset_of(names, "utf-8").name, "iso2022_jp")

    def test_cannot_be_decoded(self) -> None:
        """Bytes that are in no way of the character set are characters each, and no error of whoever looks at them."""
        self.assertEqual(Charset("iso2022_jp").decode(b"\x1b$B\xff|\x1b(B"), "\x1b$B\xff|\x1b(B")

    @given(st.binary(), st.sampled_from(ONE_BYTE))
    def test_lossless(self, data: bytes, name: str) -> None:
        """Whatever bytes come, their text is written as the same bytes."""
        charset = Charset(name)
        self.assertEqual(charset.encode(charset.decode(data)), data)

    @given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5)))
    def test_no_delimiters_in_characters(self, text: str) -> None:
        """A byte of a character is not taken for a delimiter, and all bytes keep their places."""
        for name in ("gb18030", "big5", "shift_jis", "iso2022_jp"):
            data = b"PID|" + text.encode(name, "ignore") + b"|x"
            view = Charset(name).view(data)
            self.assertEqual(len(view), len(data))
            self.assertEqual(view.count(b"|"), 2, (name, data))
            self.assertNotIn(b"^", view)

    def test_other_bytes_are_seen(self) -> None:
        """In other character sets the bytes themselves are looked at."""
        self.assertEqual(Charset("utf-8").view("é|".encode()), "é|".encode())

    def test_cannot_say(self) -> None:
        """A character that the message's character set does not have cannot be written."""
        with self.assertRaisesRegex(ParseError, "the message is in ascii, which cannot say 'é'"):
            Charset("ascii").encode("é")

    def test_checked(self) -> None:
        """A default must be known, and its letters those of ASCII."""
        self.assertEqual(checked_charset("Latin1"), "iso8859-1")
        for name in ("utf-16", "klingon"):
            with self.assertRaisesRegex(ValueError, f"charset must be .*, not '{name}'"):
                checked_charset(name)
