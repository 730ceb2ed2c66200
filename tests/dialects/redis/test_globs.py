"""Patterns as Redis matches them. That they match as a real Redis does is tested in ``tests/real``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.redis.globs import compile_globs


class GlobTests(SynchronousTestCase):
    """`compile_globs`."""

    def assert_matches(self, pattern: bytes, matching: str, others: str) -> None:
        """A pattern matches the first words and not the others. NONE stands for no word."""
        found = compile_globs([pattern])
        words = [word.encode() for word in (matching + " " + others).split(" ") if word != "NONE"]
        expected = [word.encode() for word in matching.split(" ") if word != "NONE"]
        self.assertEqual([word for word in words if found.fullmatch(word)], expected, pattern)

    def test_plain(self) -> None:
        """A pattern without special characters matches itself only, whatever a regular expression would make of it."""
        self.assert_matches(b"a.c", "a.c", "abc a.cd xa.c A.C")
        self.assert_matches(b"(a|b)+$", "(a|b)+$", "a b")
        self.assert_matches(b"", "", "a")

    def test_star(self) -> None:
        """A star matches any bytes, none and line breaks among them."""
        self.assert_matches(b"*", " a abc", "NONE")
        self.assert_matches(b"user:*", "user: user:1 user:a:b", "user xuser:1")
        self.assert_matches(b"*:name", ":name a:name a:name:name", "a:names name")
        self.assert_matches(b"a*b*c", "abc aXbXc abbcc", "ac acb abcX")
        self.assert_matches(b"a**b", "ab aXb", "aX")
        self.assertTrue(compile_globs([b"a*b"]).fullmatch(b"a\r\n\0\xffb"))

    def test_question_mark(self) -> None:
        """A question mark matches one byte."""
        self.assert_matches(b"news.?", "news.a news.?", "news. news.ab")
        self.assertTrue(compile_globs([b"?"]).fullmatch(b"\n"))

    def test_class(self) -> None:
        """Brackets match one of some bytes, ranges in whatever order, or none of them."""
        self.assert_matches(b"h[ae]llo", "hallo hello", "hillo hllo")
        self.assert_matches(b"[a-c]", "a b c", "d -")
        self.assert_matches(b"[c-a]", "a b c", "d")
        self.assert_matches(b"[^a-c]", "d ^", "a b c ab")
        self.assert_matches(b"[ac-]-]", "a b c ] -", "d")  # as Redis reads it, the range goes from c to ]
        self.assert_matches(b"[\\]\\-x]", "] - x", "\\ a")
        self.assert_matches(b"[]", "NONE", "a ]")
        self.assert_matches(b"[^]", "a ]", "ab")

    def test_backslash(self) -> None:
        """A backslash takes away the meaning of what follows; at the end it stands for itself."""
        self.assert_matches(b"\\*\\?\\[\\\\", "*?[\\", "a?[\\")
        self.assert_matches(b"\\a", "a", "\\a")
        self.assert_matches(b"a\\", "a\\", "a")

    def test_several(self) -> None:
        """One of several patterns is enough; no pattern matches nothing."""
        found = compile_globs([b"a*", b"*b"])
        self.assertEqual([bool(found.fullmatch(word)) for word in (b"ax", b"xb", b"xx")], [True, True, False])
        self.assertIsNone(compile_globs([]).fullmatch(b""))

    def test_without_end(self) -> None:
        """A bracket that is not closed is an error of who wrote the pattern."""
        for pattern in (b"[", b"a[bc", b"[a\\]", b"[a-]", b"[^"):
            with self.assertRaisesRegex(ValueError, r"has a \[ without its \]"):
                compile_globs([pattern])

    def test_hostile(self) -> None:
        """A long key is soon found not to match, whatever the pattern: a search that goes back would not end."""
        found = compile_globs([b"*a" * 20 + b"b"])
        self.assertIsNone(found.fullmatch(b"a" * 20_000))
