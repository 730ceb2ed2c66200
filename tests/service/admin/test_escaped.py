"""Bytes and texts as people read and write them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.service.admin.escaped import clean, escaped, one_line, unescaped


class EscapedTests(SynchronousTestCase):
    """Escapes."""

    def test_bytes(self) -> None:
        """What can be seen stays, and the rest becomes escapes."""
        self.assertEqual(escaped(b"zl\xc4\x99 \\ \r\n\t\x01\xff"), r"zlę \\ \r\n\t\x01\xff")
        self.assertEqual(escaped("zlę\u2028"), "zlę\\xe2\\x80\\xa8")
        self.assertEqual(escaped("caf\udce9 \ud800"), "caf\\xe9 \ufffd")

    def test_written(self) -> None:
        """Text with escapes becomes bytes; any other backslash is an error that says what is expected."""
        self.assertEqual(unescaped(r"a\x01\r\n\t\\x41"), b"a\x01\r\n\t\\x41")
        for wrong in (r"\q", r"\x4", "\\"):
            error = self.assertRaises(ValueError, unescaped, wrong)
            self.assertIn("must be followed by xNN, r, n, t or a backslash", str(error))

    @given(st.binary())
    def test_inverse(self, data: bytes) -> None:
        """Whatever is shown can be given back."""
        self.assertEqual(unescaped(escaped(data)), data)
        self.assertTrue(escaped(data).isprintable())

    def test_clean(self) -> None:
        """A text that UTF-8 lacks gets escapes; a long one is cut to a line."""
        self.assertEqual((clean("ann"), clean("zlę"), clean("a\udcff")), ("ann", "zlę", "a\\udcff"))
        self.assertEqual((one_line("x" * 200), one_line("x" * 201)), ("x" * 200, "x" * 199 + "…"))
