"""Tests of the values of Redis: hiredis judges what it knows."""

from __future__ import annotations

import math
import sys
from typing import Any
from unittest import mock

import hiredis
from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import MarshalingError, ParseError
from twisted_repeater.dialects.redis import values
from twisted_repeater.dialects.redis.values import ErrorText, load_hiredis, read_slowly, read_value, write_value

from ...framings.test_resp import VALUES


class ReadTests(SynchronousTestCase):
    """Frames that are read."""

    @given(VALUES)
    def test_judged(self, frame: bytes) -> None:
        """What the slow reader reads is what hiredis reads."""
        judge = hiredis.Reader()
        judge.feed(frame)
        expected = judge.gets()
        self.assertEqual(read_slowly(frame), expected)
        self.assertEqual(read_value(frame), expected)

    def test_types(self) -> None:
        """All types are read, also those that hiredis does not know."""
        for frame, value in (
            (b"|1\r\n+a\r\n+b\r\n|0\r\n+OK\r\n", b"OK"),
            (b"=7\r\ntxt:abc\r\n", b"abc"),
            (b"*2\r\n-ERR x\r\n:1\r\n", [ErrorText("ERR x"), 1]),
            (b">2\r\n+a\r\n:1\r\n", [b"a", 1]),
            (b"$?\r\n;1\r\na\r\n;2\r\nbc\r\n;0\r\n", b"abc"),
            (b"!3\r\nERR\r\n", ErrorText("ERR")),
            (b"*2\r\n|1\r\n+a\r\n*1\r\n:1\r\n+OK\r\n:1\r\n", [b"OK", 1]),
            (
                b"*?\r\n:1\r\n*0\r\n%?\r\n+k\r\n=5\r\ntxt:v\r\n.\r\n_\r\n#t\r\n#f\r\n.\r\n",
                [1, [], {b"k": b"v"}, None, True, False],
            ),
            (b"#f\r\n", False),
            (b",-inf\r\n", -math.inf),
            (b"(123456789012345678901\r\n", b"123456789012345678901"),
            (b"-ERR \xff\r\n", ErrorText("ERR \N{REPLACEMENT CHARACTER}")),
        ):
            self.assertEqual(read_value(frame), value)
            self.assertEqual(type(read_value(frame)), type(value) if frame[:1] != b">" else hiredis.PushNotification)
        self.assertEqual(read_slowly(b"*3\r\n,1.5\r\n(12\r\n-E \xff\r\n"), [1.5, b"12", "E \udcff"])
        self.assertEqual([read_slowly(frame) for frame in (b"$-1\r\n", b"*-1\r\n", b"_\r\n")], [None] * 3)
        self.assertEqual(read_value(b"*1\r\n:1\r\n"), [1])  # after all the failures

    def test_no_value(self) -> None:
        """What Python cannot have, and what is no frame, is a ``ParseError``."""
        for frame in (b"%1\r\n*1\r\n:1\r\n:2\r\n", b"*1\r\n:x\r\n", b"*2\r\n:1\r\n", b""):
            self.assertRaises(ParseError, read_value, frame)

    def test_without_hiredis(self) -> None:
        """Without hiredis the error says how to get it."""
        with mock.patch.dict(sys.modules, {"hiredis": None}):
            error = self.assertRaises(ImportError, load_hiredis)
        self.assertEqual(str(error), "the dialect redis needs hiredis: pip install 'twisted_repeater[redis]'")


class WriteTests(SynchronousTestCase):
    """Values that are written."""

    def test_round_trip(self) -> None:
        """What is written is read again."""
        value: Any
        for value in (None, True, False, 5, 1.5, b"a\r\n", [], [1, [b"x"]], {b"a": [1]}, ErrorText("ERR x")):
            self.assertEqual(read_value(write_value(value)), value)
        self.assertEqual(write_value({"a"}), b"~1\r\n$1\r\na\r\n")
        self.assertEqual(write_value((bytearray(b"a"), "\udcff")), b"*2\r\n$1\r\na\r\n$1\r\n\xff\r\n")
        self.assertEqual(write_value(ErrorText("ERR a\r\nb")), b"-ERR a b\r\n")

    def test_no_value(self) -> None:
        """What Redis cannot have is refused."""
        deep: Any = []
        for _ in range(500):
            deep = [deep]
        for value in (object(), [object()], deep):
            self.assertRaises(MarshalingError, write_value, value)
        self.assertRaises(MarshalingError, values.write_string, True)
        self.assertEqual(values.write_string(5), b"5")
        self.assertEqual(repr(ErrorText("ERR")), "ErrorText('ERR')")
