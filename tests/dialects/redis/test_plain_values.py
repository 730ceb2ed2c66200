"""Commands and replies that are read without hiredis."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.redis.plain_values import NOT_PLAIN, plain_value, words_in
from twisted_repeater.dialects.redis.values import read_value


def command(*words: bytes) -> bytes:
    """Return a command as an array."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class WordsTests(SynchronousTestCase):
    """`words_in`."""

    @given(st.lists(st.binary(max_size=200), min_size=1, max_size=20))
    def test_words(self, words: list[bytes]) -> None:
        """The words of a command are those that hiredis finds."""
        frame = command(*words)
        self.assertEqual(words_in(frame), words)
        self.assertEqual(read_value(frame), words)

    def test_others(self) -> None:
        """What is not exactly an array of strings is left to others."""
        whole = command(b"SET", b"a")
        for frame in (
            b"", b"SET a\r\n", b"*\r\n", b"*0\r\n", b"*-1\r\n", b"*1\r\n", b"*1x\r\n", b"*2\r", b"*2\n\n",
            b"*1\r\n:1\r\n",
            b"*1\r\n$-1\r\n", b"*1\r\n$\r\n", b"*1\r\n$3", b"*1\r\n$9\r\nabc\r\n", whole + b"x", whole[:-1],
            b"*1\r\n$" + b"9" * 19 + b"\r\n", b"*" + b"9" * 18 + b"\r\n" + whole[4:],
        ):  # fmt: skip
            self.assertIsNone(words_in(frame), frame)


class ValueTests(SynchronousTestCase):
    """`plain_value`."""

    def test_values(self) -> None:
        """Short texts, strings and numbers have the values that hiredis finds."""
        for frame in (b"+OK\r\n", b"+\r\n", b"+a\xff\0\r\n", b":0\r\n", b":42\r\n", b":" + b"9" * 18 + b"\r\n",
                      b"$0\r\n\r\n", b"$3\r\na\r\n\r\n", b"$2\r\n\r\n\r\n"):  # fmt: skip
            value = plain_value(frame)
            self.assertIsNot(value, NOT_PLAIN)
            self.assertEqual(value, read_value(frame))
            self.assertIs(type(value), type(read_value(frame)))

    def test_others(self) -> None:
        """All other replies are left to hiredis."""
        for frame in (
            b"", b"\r\n", b"-ERR\r\n", b":-1\r\n", b":" + b"9" * 19 + b"\r\n", b":1x\r\n", b"$-1\r\n", b"$?\r\n",
            b"$5\r\nabc\r\n", b"$\r\nabc\r\n", b"*1\r\n:1\r\n", b"_\r\n", b"+OK\n", b"+OK\r", b"+a\nb\r\n",
            b"+a\rb\r\n",
        ):  # fmt: skip
            self.assertIs(plain_value(frame), NOT_PLAIN, frame)
