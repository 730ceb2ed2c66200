"""Regular expressions for lines, and what is made of a match."""

from __future__ import annotations

import sys
import time
from random import Random
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import re2
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.lines.patterns import Pattern, Template


class OtherModule(ModuleType):
    """RE2's Python module, of which only the public names are there."""

    def __init__(self, module: Any) -> None:
        super().__init__("re2")
        self.Options, self.error, self._compile = module.Options, module.error, module.compile

    def compile(self, text: bytes, options: Any) -> SimpleNamespace:
        """Return an expression."""
        made = self._compile(text, options)
        return SimpleNamespace(search=made.search, fullmatch=made.fullmatch, groups=made.groups)


PARTS = (
    rb"abc", rb"(Abd|cde)", rb"\b", b"^", rb"[^a]", rb"\s*", rb".*", b"$", b"(?i)", b"(?-i)", b"k+", rb"s{2,4}", b"|",
    b"[K-s]",
)  # fmt: skip
"""Parts of expressions."""

PIECES = (b"abc", b"aBD", b"CDE", b"k", b"S", b"\xc5\xbf", b"\xe3", b"\r\n", b" ")
"""Pieces of lines."""


class WordsTests(SynchronousTestCase):
    """The words that each match of an expression has in it."""

    def test_words(self) -> None:
        """Where none of the words is, in whatever case, the expression cannot match; where one is, it may."""
        may_match = Pattern("match", r"^(?:join|part)\b.*#secret").may_match
        assert may_match is not None
        self.assertTrue(may_match(memoryview(b"PRIVMSG a\r\nJoin #SECRET\r\n")))
        self.assertFalse(may_match(memoryview(b"PRIVMSG a\r\nJoin #a\r\n")))
        self.assertFalse(may_match(memoryview(b"\xff\0")))

    def test_none(self) -> None:
        """Some expressions need no word, are too long, or are of bytes that RE2 may not find as a word."""
        for text in ("", ".*", r"^\d+$", "[a-z]x", "abc|", "a" * 1001, "caf\u00e9", r"caf\xc3\xa9", r"\303\251abc",
                     r"\pLabc"):  # fmt: skip
            self.assertIsNone(Pattern("match", text).may_match, text)

    @given(st.lists(st.sampled_from(PARTS), max_size=6), st.lists(st.sampled_from(PIECES), max_size=9))
    def test_never_too_few(self, parts: list[bytes], lines: list[bytes]) -> None:
        """If an expression matches in a line, it may match there by its words."""
        pattern = Pattern("match", b"".join(parts).decode())
        read = b"".join(lines)
        if pattern.may_match is not None and not pattern.may_match(memoryview(read)):
            self.assertEqual([line for line in read.split(b"\n") if pattern.search(line.removesuffix(b"\r"))], [])

    def test_without_them(self) -> None:
        """Without the class that finds them, or where it finds the expression too large, there are none."""
        with mock.patch.dict(sys.modules, {"re2": OtherModule(re2)}):
            self.assertIsNone(Pattern("match", "abc").may_match)
        with mock.patch.object(re2.Filter, "Compile", side_effect=re2.error("too large")):
            self.assertIsNone(Pattern("match", "abc").may_match)


class PatternTests(SynchronousTestCase):
    """Regular expressions."""

    def matches(self, text: str, line: bytes) -> bool:
        """Return whether a line matches somewhere."""
        return Pattern("match", text).search(line) is not None

    def test_case(self) -> None:
        """Case counts only if the expression says so."""
        self.assertTrue(self.matches("^join", b"JOIN #a"))
        self.assertFalse(self.matches("(?-i)^join", b"JOIN #a"))

    def test_bytes(self) -> None:
        """A line is bytes: those that are not UTF-8, line feeds and NULs get around no rule."""
        self.assertTrue(self.matches("^JOIN .*#secret", b"JOIN \xff\n\0#secret"))
        self.assertTrue(self.matches(r"\xff\x00", b"a\xff\0"))
        self.assertTrue(self.matches("é", "café".encode()))

    def test_ends(self) -> None:
        """The signs for the beginning and the end stand for those of the line."""
        self.assertFalse(self.matches("a$", b"a\n"))
        self.assertFalse(self.matches("^b", b"a\nb"))
        self.assertTrue(self.matches("^a$", b"a"))

    def test_all_of_it(self) -> None:
        """A line can be asked for as a whole: no alternative is enough that matches a part of it."""
        pattern = Pattern("match", "a|ab*")
        self.assertTrue(pattern.matches_all_of(b"abb"))
        self.assertFalse(pattern.matches_all_of(b"abbc"))
        self.assertFalse(pattern.matches_all_of(b"xabb"))

    def test_wrong(self) -> None:
        """What is not an expression of RE2 is an error that says so, with the option's name."""
        for text in ("(", "a(?=b)", r"(a)\1", "a{2000}"):
            with self.assertRaisesRegex(ValueError, "^match must be a regular expression of RE2, not '.*': ."):
                Pattern("match", text)
        with self.assertRaisesRegex(TypeError, "^match must be a string, not b'a'$"):
            Pattern("match", b"a")  # type: ignore[arg-type]

    def test_not_installed(self) -> None:
        """Without RE2 the error names the extra."""
        with (
            mock.patch.dict(sys.modules, {"re2": None}),
            self.assertRaisesRegex(ImportError, r"pip install 'twisted_repeater\[lines\]'"),
        ):
            Pattern("match", "a")

    def test_other_version(self) -> None:
        """It works the same where RE2's Python module has other names inside."""
        line = b"to ann@a, bob@b"
        with mock.patch.dict(sys.modules, {"re2": OtherModule(re2)}):
            pattern = Pattern("match", r"(\w+)@(x)?")
        self.assertEqual(pattern.search(line), Pattern("match", r"(\w+)@(x)?").search(line))
        self.assertEqual(pattern.search(line, 4), [(4, 7), (4, 6), (-1, -1)])
        self.assertIsNone(pattern.search(line, 13))
        self.assertTrue(pattern.matches_all_of(b"ann@"))
        self.assertFalse(pattern.matches_all_of(b"ann@a"))

    def test_more_states_than_memory(self) -> None:
        """A line for which RE2 needs more memory than it has matches as others do."""
        random = Random(1)
        line = bytes(random.choices(b"abx", k=20_000))
        for text in ("(a|b).{0,300}secret", "(.{0,100}x){0,3}secret"):
            self.assertTrue(self.matches(text, line + b"secret"))
            self.assertFalse(self.matches(text, line + b"secre"))

    def test_time(self) -> None:
        """No line takes more than a moment, whatever the expression is; with other ones this would never end."""
        line = b"a" * 50_000 + b"b"
        began = time.monotonic()
        for text in ("(a+)+c", "(a|a)*c", "(.*)(.*)(.*)(.*)c", "^(a?){500}a{500}c"):
            self.assertFalse(self.matches(text, line))
        self.assertLess(time.monotonic() - began, 60)


class ReplacingTests(SynchronousTestCase):
    """Texts with groups, in places of a line."""

    def replaced(self, text: str, by: str, line: bytes, most: int = 10) -> bytes | None:
        """Return a line in which matches are replaced."""
        pattern = Pattern("match", text)
        return pattern.replaced(line, Template("by", by, pattern.groups), most)

    def test_groups(self) -> None:
        """Groups stand for what they have matched, and for nothing if they have not."""
        self.assertEqual(
            self.replaced(r"(\w+)@(\w+)(!)?", r"\2 at \1\3 <\0>", b"to ann@a, bob@b"),
            b"to a at ann <ann@a>, b at bob <bob@b>",
        )

    def test_backslash(self) -> None:
        """Two backslashes are one."""
        self.assertEqual(self.replaced("a", r"\\0", b"bab"), rb"b\0b")

    def test_empty_matches(self) -> None:
        """Where nothing is matched something is put in, and the rest stays."""
        self.assertEqual(self.replaced("x*", "-", b"axb"), b"-a--b-")
        self.assertEqual(self.replaced("^", ">", b"ab"), b">ab")
        self.assertEqual(self.replaced("$", "<", b"ab"), b"ab<")
        self.assertEqual(self.replaced(r"\b", "|", b"ab cd "), b"|ab| |cd| ")
        self.assertEqual(self.replaced("^$", "-", b""), b"-")

    def test_many_places(self) -> None:
        """Above a number of places there is no result."""
        self.assertEqual(self.replaced("a", "bb", b"a" * 10), b"b" * 20)
        self.assertIs(self.replaced("a", "bb", b"a" * 11), None)

    @given(st.binary(max_size=60), st.sampled_from(["b+", "(a)|b", "[^a]", "x?"]))
    def test_all_of_it_stays(self, line: bytes, text: str) -> None:
        """If each match is replaced by itself, the line is the same."""
        self.assertEqual(self.replaced(text, r"\0", line, 100), line)

    def test_wrong_templates(self) -> None:
        """A text of several lines, a group that is not there, and a lone backslash are errors."""
        for text, error in (
            ("a\nb", "by must be one line, without CR, LF and NUL"),
            ("a\r", "by must be one line"),
            ("\0", "by must be one line"),
            (r"a\2", r"^by has the group \\2, but the last one is \\1: 'a\\\\2'$"),
            (r"\d", "after a backslash"),
            ("a\\", "after a backslash"),
        ):
            with self.assertRaisesRegex(ValueError, error):
                Template("by", text, 1)
        with self.assertRaisesRegex(TypeError, "by must be a string, not None"):
            Template("by", None, 1)  # type: ignore[arg-type]
