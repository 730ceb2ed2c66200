"""Tests of commands that are typed: the words are those that Redis finds."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.redis.inline import split_inline


class SplitTests(SynchronousTestCase):
    """Words of a line."""

    def test_words(self) -> None:
        """Words are separated, unquoted and unescaped as by Redis."""
        for line, words in (
            (b"GET key\r\n", [b"GET", b"key"]),
            (b" \tGET\x0b  key \n", [b"GET\x0b", b"key"]),
            (b"\x0c\x0bGET\r\n", [b"GET"]),
            (b"\r\n", []),
            (b"", []),
            (b'FLU"SHALL" x', [b"FLUSHALL", b"x"]),
            (b'"a"\x0bb', [b"a", b"b"]),
            (b'"\\x41\\n\\r\\t\\b\\a\\"\\q\\xzz"', [b'A\n\r\t\b\a"qxzz']),
            (b"'it\\'s \\n' \\n", [b"it's \\n", b"\\n"]),
            (b"'' \"\"", [b"", b""]),
            (b"GET\0key\r\n", [b"GET"]),
        ):
            self.assertEqual(split_inline(line), words)

    def test_quotes_that_do_not_match(self) -> None:
        """Redis refuses such a line, so it has no words."""
        for line in (b'"a', b"'a", b'a "b\\"', b'"a"b', b"'a'b", b"'a\\'", b'"a\\'):
            self.assertIsNone(split_inline(line + b"\r\n"))
