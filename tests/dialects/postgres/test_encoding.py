"""Writing PostgreSQL's messages: what is right, and what no message may have in it."""

from __future__ import annotations

from struct import error as StructError
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.postgres import encoding
from twisted_repeater.dialects.postgres.codec import TO_CLIENT, TO_SERVER
from twisted_repeater.dialects.postgres.messages import (
    Bind,
    CopyFail,
    DataRow,
    Describe,
    ErrorResponse,
    Execute,
    Parse,
    Query,
    RowDescription,
    Sync,
)
from twisted_repeater.errors import MarshalingError

from .test_codec import ANSWERS, REQUESTS


class EncodingTests(SynchronousTestCase):
    """All functions."""

    def test_each(self) -> None:
        """Each message is written with its type and its length, so that it can be read again."""
        for codec, examples in ((TO_SERVER, REQUESTS), (TO_CLIENT, ANSWERS)):
            for message in examples:
                data = codec.encode(message)
                self.assertEqual(int.from_bytes(data[1:5], "big"), len(data) - 1)
                self.assertEqual(codec.decode(data), message)
        self.assertEqual(encoding.nothing(Sync()), b"")

    def test_bytes(self) -> None:
        """Some messages, byte by byte."""
        for codec, message, data in (
            (TO_SERVER, Query("é"), b"Q\0\0\0\x07\xc3\xa9\0"),
            (TO_SERVER, Parse("s", "x", (23,)), b"P\0\0\0\x0es\0x\0\0\1\0\0\0\x17"),
            (TO_SERVER, Execute("", 1), b"E\0\0\0\x09\0\0\0\0\1"),
            (TO_CLIENT, DataRow((None, b"x")), b"D\0\0\0\x0f\0\2\xff\xff\xff\xff\0\0\0\1x"),
        ):
            self.assertEqual(codec.encode(message), data)
        octets: Any = encoding.octets
        self.assertEqual(octets(bytearray(b"x")), b"x")

    def test_wrong(self) -> None:
        """What would not arrive as it is meant cannot be written."""
        for value in ("a\0b", "\0"):
            self.assertRaises(ValueError, encoding.text, value)
        for value in ("", "ab", "€"):
            self.assertRaises(ValueError, encoding.letter, value)
        for thing in ("x", 1, None):
            self.assertRaises(TypeError, encoding.octets, thing)
        for function, message in (
            (encoding.fields, ErrorResponse({"\0": "x"})),
            (encoding.data_row, DataRow((b"",) * 65536)),
            (encoding.bind, Bind("", "", (1 << 16,))),
            (encoding.row_description, RowDescription(("x",))),  # type: ignore[arg-type]
        ):
            write: Any = function
            self.assertRaises((ValueError, StructError), write, message)
        for wrong in (Describe("SS", ""), CopyFail("\0"), Parse("", "", (-1,))):
            self.assertRaises(MarshalingError, TO_SERVER.encode, wrong)
