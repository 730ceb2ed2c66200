"""Tests of the codec of text."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.codecs import text
from twisted_repeater.errors import MarshalingError, ParseError
from twisted_repeater.testing import check_codec


class TextTests(SynchronousTestCase):
    """Messages are strings."""

    def test_conformance(self) -> None:
        """It keeps what a repeater relies on, in every encoding."""
        check_codec(text(), ["", "EUR/USD 1.09", "größer als ∞"], grow="ß".__mul__)
        check_codec(text("latin-1"), ["", "grün"])
        check_codec(text("utf-16"), ["", "grün"])

    def test_utf8(self) -> None:
        """The default is UTF-8."""
        self.assertEqual(text().decode(b"gr\xc3\xbcn"), "grün")
        self.assertEqual(text().encode("grün"), b"gr\xc3\xbcn")

    def test_not_decodable(self) -> None:
        """A payload that is not text is a parse error with the byte."""
        error = self.assertRaises(ParseError, text().decode, b"gr\xfcn")
        self.assertEqual(str(error), "not utf-8 at byte 2: invalid start byte")
        self.assertEqual((error.offset, error.field), (2, None))

    def test_not_encodable(self) -> None:
        """Text that the encoding lacks is a marshaling error that says which."""
        error = self.assertRaises(MarshalingError, text("ascii").encode, "gr\xfcn")
        self.assertEqual(str(error), r"'\xfc' cannot be written in ascii: ordinal not in range(128)")

    def test_no_text(self) -> None:
        """Anything but a string is a marshaling error."""
        error = self.assertRaises(MarshalingError, text().encode, b"bytes")
        self.assertEqual(str(error), "expected str, got bytes")

    def test_no_encoding(self) -> None:
        """An unknown encoding is an error when the codec is made."""
        self.assertRaises(LookupError, text, "no-such")
        self.assertRaises(LookupError, text, "hex")
