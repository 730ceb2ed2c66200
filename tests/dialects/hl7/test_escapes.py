"""Escape sequences."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.hl7.charsets import Charset
from twisted_repeater.dialects.hl7.escapes import escape, unescape
from twisted_repeater.dialects.hl7.structure import Delimiters
from twisted_repeater.errors import ParseError

USUAL = Delimiters(b"|", b"^", b"~", b"\\", b"&", b"\r")
OTHER = Delimiters(b"$", b"%", b"!", b"]", b"#", b"\n")
UTF8 = Charset("utf-8")


class EscapesTests(SynchronousTestCase):
    """`escape` and `unescape`."""

    @given(st.text(st.sampled_from("ab|^~\\&$%!]#\r\n\x0b\x1cé")), st.sampled_from([USUAL, OTHER]))
    def test_round_trip(self, text: str, delimiters: Delimiters) -> None:
        """A text that is written and read is the same, and has no delimiter in it."""
        written = escape(text, delimiters)
        for delimiter in (delimiters.field, delimiters.component, delimiters.repetition, b"\r", b"\n", b"\x1c"):
            self.assertNotIn(delimiter.decode(), written)
        self.assertEqual(unescape(written, delimiters, UTF8), text)

    def test_sequences(self) -> None:
        """Bytes in hexadecimal are read in the character set; unknown and unfinished sequences stay."""
        self.assertEqual(unescape("\\XC3A9\\", USUAL, UTF8), "é")
        for text in ("\\H\\bold\\N\\", "a\\.br\\b", "5\\", "\\XC\\", "\\"):
            self.assertEqual(unescape(text, USUAL, UTF8), text)

    def test_no_escape_character(self) -> None:
        """Without an escape character, texts are read as they are, and none with a delimiter can be written."""
        none = USUAL._replace(escape=b"")
        self.assertEqual(unescape("\\T\\", none, UTF8), "\\T\\")
        self.assertEqual(escape("a", none), "a")
        with self.assertRaisesRegex(ParseError, "the message has no escape character"):
            escape("a|b", none)
