"""Reading PostgreSQL's messages: what is right, and everything that is wrong."""

from __future__ import annotations

from struct import error as StructError
from struct import pack
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.postgres import decoding, messages
from twisted_repeater.dialects.postgres.codec import TO_CLIENT, TO_SERVER
from twisted_repeater.dialects.postgres.rows import data_row
from twisted_repeater.errors import ParseError

from .test_codec import ANSWERS, REQUESTS

WRONG = (ValueError, IndexError, StructError)


def frame(kind: bytes, body: bytes = b"") -> bytes:
    """Return a message."""
    return kind + pack("!I", len(body) + 4) + body


class DecodingTests(SynchronousTestCase):
    """All functions."""

    def test_each(self) -> None:
        """Each message is read as it was written."""
        for codec, examples in ((TO_SERVER, REQUESTS), (TO_CLIENT, ANSWERS)):
            for message in examples:
                self.assertEqual(codec.decode(codec.encode(message)), message)
        self.assertEqual(decoding.bind(frame(b"B", b"\0\0\0\0\0\0\0\0")), messages.Bind("", ""))
        self.assertEqual(decoding.only("x")(frame(b"S")), "x")

    def test_every_cut(self) -> None:
        """A message without its end, or with more after it, cannot be read, wherever it is cut."""
        for codec, examples in ((TO_SERVER, REQUESTS), (TO_CLIENT, ANSWERS)):
            for message in examples:
                whole = codec.encode(message)
                for wrong in (*(whole[:size] for size in range(len(whole))), whole + b"\0", whole + b"x"):
                    with self.subTest(message=message, wrong=wrong):
                        self.assertRaises(ParseError, codec.decode, wrong)

    def test_values(self) -> None:
        """The size of a value is -1 for NULL, or at least 0."""
        null = b"\xff\xff\xff\xff"
        self.assertEqual(data_row(frame(b"D", b"\0\2" + null + b"\0\0\0\1x")).values, (None, b"x"))
        self.assertEqual(decoding.function_call_response(frame(b"V", null)).value, None)
        for wrong in (b"\xff\xff\xff\xfe", b"\x80\0\0\0", b"\0\0\0\2x"):
            self.assertRaises(WRONG, data_row, frame(b"D", b"\0\1" + wrong))
            self.assertRaises(WRONG, decoding.function_call_response, frame(b"V", wrong))

    def test_counts(self) -> None:
        """A count that promises more than there is costs nothing."""
        for function, body in (
            (data_row, b"\xff\xff"),
            (decoding.row_description, b"\xff\xff"),
            (decoding.parameter_description, b"\xff\xff"),
            (decoding.bind, b"\0\0\xff\xff"),
            (decoding.copy_in_response, b"\0\xff\xff"),
        ):
            call: Any = function
            self.assertRaises(WRONG, call, frame(b"?", body))

    def test_fields(self) -> None:
        """The last of two fields of one letter counts, and nothing may follow the end."""
        self.assertEqual(decoding.error_response(frame(b"E", b"Ma\0Mb\0\0")).fields, {"M": "b"})
        for wrong in (b"", b"M", b"Ma\0", b"Ma\0\0x"):
            self.assertRaises(WRONG, decoding.error_response, frame(b"E", wrong))

    def test_header(self) -> None:
        """The length of a message whose body may be anything must be right."""
        decoding.check_header(frame(b"d", b"x"))
        for wrong in (b"d\0\0\0", b"d\0\0\0\3", b"d\0\0\0\5", b"d\0\0\0\4x"):
            self.assertRaises(ValueError, decoding.check_header, wrong)

    @given(st.sampled_from(b"QPBDECSHFfXdcTZtVSKAGWINnEs123"), st.binary())
    def test_anything(self, kind: int, body: bytes) -> None:
        """Whatever comes is a message, which is written as the same bytes, or an error."""
        data = frame(bytes([kind]), body)
        for codec in (TO_SERVER, TO_CLIENT):
            try:
                message = codec.decode(data)
            except ParseError:
                continue
            if not isinstance(message, (messages.ErrorResponse, messages.NoticeResponse)):
                self.assertEqual(codec.encode(message), data)
