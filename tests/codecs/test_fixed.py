"""Tests of the codec of fixed records."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.codecs import Chars, FixedCodec, fixed
from twisted_repeater.errors import MarshalingError, ParseError
from twisted_repeater.testing import check_codec


@dataclass
class Order:
    """A record."""

    id: int
    price: float
    symbol: str
    key: bytes = b"\0\0"

    def __post_init__(self) -> None:
        if self.price < 0:
            raise ValueError("the price is below 0")


class Quote(NamedTuple):
    """A named tuple."""

    bid: int
    ask: int


class Cancel(msgspec.Struct):
    """A msgspec struct."""

    id: int


@dataclass(kw_only=True)
class Keywords:
    """A record that is made by keyword, in another order."""

    b: int
    a: int


ORDER = fixed(Order, id="Q", price="d", symbol=Chars(8), key="2s")
PAYLOAD = b"\0\0\0\0\0\0\0\7" + struct.pack(">d", 1.5) + b"AAPL\0\0\0\0" + b"\1\0"


class RecordTests(SynchronousTestCase):
    """Records are read and written."""

    def test_conformance(self) -> None:
        """It keeps what a repeater relies on."""
        check_codec(ORDER, [Order(7, 1.5, "AAPL", b"\1\0"), Order(0, 0.0, "", b"xy")])
        check_codec(fixed(Quote, "<", bid="i", _pad="3x", ask="h"), [Quote(-1, 2)])

    def test_big_endian(self) -> None:
        """The default is big-endian, without alignment; texts lose what fills them up, bytes keep all."""
        order = Order(7, 1.5, "AAPL", b"\1\0")
        self.assertEqual(ORDER.decode(PAYLOAD), order)
        self.assertEqual(ORDER.encode(order), PAYLOAD)

    def test_little_endian(self) -> None:
        """The byte order can be turned."""
        codec = fixed(Quote, "<", bid="I", ask="H")
        self.assertEqual(codec.decode(b"\1\0\0\0\2\0"), Quote(1, 2))
        self.assertEqual(codec.encode(Quote(1, 2)), b"\1\0\0\0\2\0")

    def test_padding(self) -> None:
        """Padding has no attribute: its bytes are ignored when read, and zeros when written."""
        codec = fixed(Cancel, before="x", id="B", behind="2x")
        self.assertEqual(codec.decode(b"a\7bc"), Cancel(7))
        self.assertEqual(codec.encode(Cancel(7)), b"\0\7\0\0")

    def test_filled_with_spaces(self) -> None:
        """Texts may be filled up by another character, and be in another encoding."""
        codec = fixed(Order, id="B", price="f", symbol=Chars(6, " ", "latin-1"), key="s")
        order = Order(1, 0.5, "grün", b"k")
        self.assertEqual(codec.encode(order), b"\1\x3f\0\0\0gr\xfcn  k")
        self.assertEqual(codec.decode(codec.encode(order)), order)

    def test_by_keyword(self) -> None:
        """The fields may be in another order than those of the class."""
        codec = fixed(Keywords, a="B", b="B")
        self.assertEqual(codec.decode(b"\1\2"), Keywords(a=1, b=2))
        self.assertEqual(fixed(Quote, ask="B", bid="B").decode(b"\1\2"), Quote(bid=2, ask=1))

    @given(st.integers(0, 2**64 - 1), st.floats(0, allow_nan=False), st.text("abcXYZ.", max_size=8))
    def test_round_trip(self, number: int, price: float, symbol: str) -> None:
        """A record that is written is read again."""
        order = Order(number, price, symbol)
        self.assertEqual(ORDER.decode(ORDER.encode(order)), order)


class ParseErrorTests(SynchronousTestCase):
    """Payloads that are no records."""

    def check(self, codec: FixedCodec[Any], payload: bytes, told: str, field: str | None, offset: int | None) -> None:
        """Check the error of a payload."""
        error = self.assertRaises(ParseError, codec.decode, payload)
        self.assertEqual((str(error), error.field, error.offset), (told, field, offset))

    def test_short(self) -> None:
        """The error about a short payload names the field in which it ends."""
        self.check(ORDER, PAYLOAD[:10], "price: expected 8 bytes at byte 8, found 2", "price", 8)
        self.check(ORDER, b"", "id: expected 8 bytes at byte 0, found 0", "id", 0)

    def test_long(self) -> None:
        """The error about a long payload says how much is left over."""
        self.check(ORDER, PAYLOAD + b"xyz", "expected the end at byte 26, found 3 bytes left over", None, 26)

    def test_no_text(self) -> None:
        """Bytes that are no text name their field and place."""
        payload = PAYLOAD.replace(b"AAPL", b"AA\xffL")
        self.check(ORDER, payload, "symbol: not ascii at byte 18: ordinal not in range(128)", "symbol", 18)

    def test_refused(self) -> None:
        """Values that the class refuses are a parse error too."""
        payload = PAYLOAD[:8] + struct.pack(">d", -1) + PAYLOAD[16:]
        self.check(ORDER, payload, "Order refuses these values: the price is below 0", None, None)


class MarshalingErrorTests(SynchronousTestCase):
    """Messages that are no records."""

    def check(self, codec: FixedCodec[Any], message: Any, told: str, field: str | None) -> None:
        """Check the error of a message."""
        error = self.assertRaises(MarshalingError, codec.encode, message)
        self.assertEqual((str(error), error.field), (told, field))

    def test_wrong_values(self) -> None:
        """A value without a place in its field names the field."""
        self.check(ORDER, Order(1, 1, "TOO LONG!"), "symbol: the value must have at most 8 bytes, not 9", "symbol")
        self.check(ORDER, Order(1, 1, "", b"abc"), "key: the value must have at most 2 bytes, not 3", "key")
        self.check(ORDER, Order(1, 1, 5), "symbol: AttributeError: 'int' object has no attribute 'encode'", "symbol")  # type: ignore[arg-type]

    def test_struct_error(self) -> None:
        """The error of ``struct`` about a value names the field."""
        for value in (2**64, -1, "1", None, 1.5):
            error = self.assertRaises(MarshalingError, fixed(Cancel, id="Q").encode, Cancel(value))  # type: ignore[arg-type]
            self.assertEqual(error.field, "id")
            self.assertRegex(str(error), "^id: .*(int|format|argument)")

    def test_missing_value(self) -> None:
        """So does one that is not there."""
        order = Order(1, 1, "")
        del order.symbol
        self.check(ORDER, order, "symbol: AttributeError: 'Order' object has no attribute 'symbol'", "symbol")

    def test_another_class(self) -> None:
        """A message of another class is refused, whatever its attributes."""
        self.check(fixed(Cancel, id="Q"), SimpleNamespace(id=1), "expected Cancel, got SimpleNamespace", None)

    def test_changing(self) -> None:
        """A message that cannot be written at first, and then can, is not sent."""

        class Changing:
            def __init__(self, **values: int) -> None:
                self.asked = 0

            @property
            def value(self) -> int:
                self.asked += 1
                return 256 if self.asked == 1 else 0

        self.check(fixed(Changing, value="B"), Changing(), "the message changed while it was written", None)


class DeclarationTests(SynchronousTestCase):
    """Mistakes in a declaration are told when the codec is made."""

    def test_formats(self) -> None:
        """Each field is one value of a fixed size, or padding."""
        for wrong in ("", "2I", "IQ", ">I", "P", "8p", "z"):
            with self.assertRaisesRegex(ValueError, f"id: the format must be of one value, not '{wrong}'"):
                fixed(Cancel, id=wrong)
        no_format: Any
        for no_format in (3, b"Q", int, Chars):
            with self.assertRaisesRegex(TypeError, "id: a field must be a format of the struct module or Chars, not "):
                fixed(Cancel, id=no_format)

    def test_byte_order(self) -> None:
        """The byte order is one of two."""
        with self.assertRaisesRegex(ValueError, "'>' or '<', not '@'"):
            fixed(Cancel, "@", id="Q")  # type: ignore[arg-type]

    def test_fields_of_the_class(self) -> None:
        """The fields must be those that the class is made with."""
        with self.assertRaisesRegex(TypeError, "missing a required argument: 'ask'"):
            fixed(Quote, bid="Q")
        with self.assertRaisesRegex(TypeError, "unexpected keyword argument 'name'"):
            fixed(Cancel, id="Q", name="8s")

    def test_no_field(self) -> None:
        """There must be one."""
        with self.assertRaisesRegex(TypeError, "a record needs a field"):
            fixed(Cancel, _pad="8x")

    def test_chars(self) -> None:
        """A text has a size, and is filled up by one byte."""
        for size, fill, encoding, told in (
            (0, "\0", "ascii", "size of Chars must be at least 1, not 0"),
            (4, "", "ascii", "fill of Chars must be one character of one byte, not ''"),
            (4, "ß", "utf-8", "fill of Chars must be one character of one byte, not 'ß'"),
        ):
            with self.assertRaisesRegex(ValueError, told):
                Chars(size, fill, encoding)
