"""Tests of the codecs of JSON and MessagePack."""

from __future__ import annotations

import json
from typing import Any, TypedDict

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.codecs.msgspec import MsgspecCodec, msgspec_json, msgspec_msgpack
from twisted_repeater.errors import MarshalingError, ParseError
from twisted_repeater.interfaces import ICodec
from twisted_repeater.selectors import NOTHING, Selector
from twisted_repeater.testing import check_codec


class Leg(msgspec.Struct, forbid_unknown_fields=True):
    """A part of an order."""

    symbol: str
    size: int = 1


class Order(msgspec.Struct, tag=True):
    """A message."""

    id: int
    price: float
    legs: list[Leg] = []
    notes: dict[str, int] = {}


class BigOrder(Order):
    """A kind of it, which the codec does not know."""


class Cancel(msgspec.Struct, tag="order/cancel"):
    """Another message."""

    id: int


class Fill(msgspec.Struct, tag=True, array_like=True):
    """A message that is written as an array."""

    id: int
    price: float
    legs: list[Leg] = []


class Done(msgspec.Struct, tag=True, array_like=True):
    """Another."""

    id: int


class One(msgspec.Struct, tag=1):
    """A message whose tag is a number."""

    id: int


class Two(msgspec.Struct, tag=2):
    """Another."""

    id: int


JSON = msgspec_json(Order | Cancel)
MSGPACK = msgspec_msgpack(Order | Cancel)
ARRAYS = msgspec_msgpack(Fill | Done)
MESSAGES = [Order(1, 1.5), Order(2, 0.25, [Leg("A"), Leg("B", 7)], {"x": 1}), Cancel(3)]


def wants(selector: Selector | None, payload: bytes) -> bool:
    """Ask a selector about a payload."""
    assert selector is not None
    return selector.matches(payload, 0, len(payload))


class MessageTests(SynchronousTestCase):
    """Messages are read and written."""

    def test_conformance(self) -> None:
        """Both keep what a repeater relies on."""

        def grow(size: int) -> Order:
            return Order(1, 1.5, [Leg("A") for _ in range(size // 10)])

        check_codec(JSON, MESSAGES, grow=grow)
        check_codec(MSGPACK, MESSAGES, grow=grow)
        check_codec(ARRAYS, [Fill(1, 1.5, [Leg("A")]), Done(2)])
        check_codec(msgspec_json(dict[str, int]), [{}, {"a": 1}])

    def test_json(self) -> None:
        """The tag says which struct it is."""
        self.assertEqual(JSON.decode(b'{"type": "Order", "id": 1, "price": 2.5}'), Order(1, 2.5))
        self.assertEqual(JSON.encode(Cancel(1)), b'{"type":"order/cancel","id":1}')

    def test_msgpack(self) -> None:
        """MessagePack is the same in fewer bytes."""
        self.assertEqual(MSGPACK.encode(Cancel(1)), b"\x82\xa4type\xacorder/cancel\xa2id\x01")
        self.assertEqual(MSGPACK.decode(MSGPACK.encode(MESSAGES[1])), MESSAGES[1])

    def test_other_types(self) -> None:
        """Any type that msgspec decodes will do."""
        self.assertEqual(msgspec_json(list[int]).decode(b"[1, 2]"), [1, 2])
        self.assertEqual(msgspec_json(Order | None).decode(b"null"), None)
        self.assertEqual(msgspec_json(Any).decode(b'{"a": []}'), {"a": []})

    def test_no_instances(self) -> None:
        """A type that ``isinstance`` cannot check serves as well: its messages are of unknown classes."""
        for of in (Any, TypedDict("Dict", {"a": int}), Any | None):  # type: ignore[operator]
            codec = msgspec_json(of)
            self.assertEqual(codec.message_types, ())
            check_codec(codec, [{"a": 1}])

    def test_hooks(self) -> None:
        """Strictness and the hooks for other types are msgspec's own."""
        self.assertEqual(msgspec_json(int, strict=False).decode(b'"1"'), 1)
        for make in (msgspec_json, msgspec_msgpack):
            codec = make(
                list[complex],
                enc_hook=lambda value: [value.real, value.imag],
                dec_hook=lambda cls, value: cls(*value),
            )
            self.assertEqual(codec.decode(codec.encode([1 + 2j])), [1 + 2j])


class ParseErrorTests(SynchronousTestCase):
    """Payloads that are no messages."""

    def check(self, codec: ICodec, payload: bytes, message: str, field: str | None, offset: int | None = None) -> None:
        """Check the error of a payload: how its message begins, its field and offset."""
        error = self.assertRaises(ParseError, codec.decode, payload)
        self.assertTrue(str(error).startswith(message), error)
        self.assertEqual((error.field, error.offset), (field, offset))

    def test_wrong_type(self) -> None:
        """A value of a wrong type names its field."""
        order = {"type": "Order", "id": 1, "price": 1.5}
        for codec, encode in ((JSON, msgspec.json.encode), (MSGPACK, msgspec.msgpack.encode)):
            self.check(codec, encode(order | {"id": "x"}), "id: Expected `int`, got `str`", "id")
            self.check(codec, encode(order | {"legs": [{"symbol": 5}]}), "legs[0].symbol: Expected", "legs[0].symbol")
            self.check(codec, encode(order | {"notes": {"a": "b"}}), "notes[...]: Expected", "notes[...]")
            self.check(codec, encode([]), "Expected `object`, got `array`", None)

    def test_wrong_key(self) -> None:
        """So does a wrong key of a mapping."""
        codec = msgspec_msgpack(dict[str, dict[int, int]])
        self.check(codec, msgspec.msgpack.encode({"a": {"b": 1}}), "[...]: Expected `int`, got `str`", "[...]")

    def test_missing_field(self) -> None:
        """A missing field is named, wherever it is."""
        self.check(JSON, b'{"type": "Order", "id": 1}', "price: Object missing required field `price`", "price")
        self.check(JSON, b'{"type": "Order", "id": 1, "price": 1, "legs": [{}]}', "legs[0].symbol: ", "legs[0].symbol")

    def test_unknown_field(self) -> None:
        """So is one that there must not be."""
        payload = b'{"type": "Order", "id": 1, "price": 1, "legs": [{"symbol": "A", "x": 1}]}'
        self.check(JSON, payload, "legs[0].x: Object contains unknown field `x`", "legs[0].x")

    def test_tag(self) -> None:
        """A wrong or missing tag is an error of the field that it is in."""
        self.check(JSON, b'{"type": "Foo"}', "type: Invalid value 'Foo'", "type")
        self.check(JSON, b"{}", "type: Object missing", "type")

    def test_malformed(self) -> None:
        """The error about a malformed payload has the byte, if it is known."""
        self.check(JSON, JSON.encode(Cancel(1)) + b" x", "JSON is malformed: trailing characters (byte 32)", None, 32)
        self.check(MSGPACK, b"\xc1", "MessagePack data is malformed", None, 0)
        self.check(JSON, b"", "Input data was truncated", None)

    def test_not_utf8(self) -> None:
        """Text that is not UTF-8 is a parse error."""
        self.check(JSON, b'{"type": "\xff"}', "'utf-8' codec can't decode", None)

    def test_too_deep(self) -> None:
        """So is what is nested deeper than can be read."""
        self.check(JSON, b'{"type": "Order", "x": ' + b"[" * 10**5, "maximum recursion depth exceeded", None)

    def test_arrays(self) -> None:
        """The fields of structs that are written as arrays are named by their index."""
        encode = msgspec.msgpack.encode
        self.check(ARRAYS, encode(["Fill", 1, "x"]), "[2]: Expected `float`, got `str`", "[2]")
        self.check(ARRAYS, encode(["Fill", 1, 1.5, [{"symbol": 1}]]), "[3][0].symbol: Expected", "[3][0].symbol")
        self.check(ARRAYS, encode(["Fill", 1]), "Expected `array` of at least length 3", None)
        self.check(ARRAYS, encode(["Done"]), "Expected `array` of at least length 2", None)
        self.check(ARRAYS, encode(["Other", 1]), "[0]: Invalid value 'Other'", "[0]")
        self.check(ARRAYS, encode([]), "Expected `array`", None)
        self.check(ARRAYS, encode({}), "Expected `array`, got `object`", None)


class MarshalingErrorTests(SynchronousTestCase):
    """Messages that cannot be written."""

    def test_another_class(self) -> None:
        """A message of a class that the type does not have is refused: the peer could not read it."""
        for codec in (JSON, MSGPACK):
            error = self.assertRaises(MarshalingError, codec.encode, {"type": "Order"})
            self.assertEqual(str(error), "expected Order or Cancel, got dict")

    def test_subclass(self) -> None:
        """A subclass is not: it is written with its own tag, if it has one."""
        self.assertEqual(JSON.decode(JSON.encode(Order(1, 2.0))), Order(1, 2.0))
        self.assertIn(b'"type":"BigOrder"', JSON.encode(BigOrder(1, 2.0)))

    def test_value(self) -> None:
        """The error about a value that cannot be written names the class of its message."""
        error = self.assertRaises(MarshalingError, MSGPACK.encode, Order(2**70, 1.5))
        self.assertTrue(str(error).startswith("Order: can't serialize ints"), error)
        error = self.assertRaises(MarshalingError, JSON.encode, Cancel(object()))  # type: ignore[arg-type]
        self.assertEqual(str(error), "Cancel: Encoding objects of type object is unsupported")


class SelectorTests(SynchronousTestCase):
    """Telling messages from their bytes, without decoding."""

    def test_json(self) -> None:
        """Whatever may be a message of the class is wanted, most others are not."""
        selector = JSON.selector_for((Cancel,))
        for payload in (
            b'{"type":"order/cancel","id":1}',
            b'{ "id" : 1, "type" : "order/cancel" }',
            rb'{"type":"order\/cancel","id":1}',
            rb'{"type":"\u006frder/cancel","id":1}',
        ):
            self.assertEqual(JSON.decode(payload), Cancel(1))
            self.assertTrue(wants(selector, payload))
        self.assertFalse(wants(selector, JSON.encode(MESSAGES[1])))

    def test_msgpack(self) -> None:
        """The same for MessagePack, with structs as maps or arrays, however long the header of the tag is."""
        selector = MSGPACK.selector_for((Cancel,))
        for header in (b"\xac", b"\xd9\x0c", b"\xda\x00\x0c", b"\xdb\x00\x00\x00\x0c"):
            payload = b"\x82\xa4type" + header + b"order/cancel\xa2id\x01"
            self.assertEqual(MSGPACK.decode(payload), Cancel(1))
            self.assertTrue(wants(selector, payload))
        self.assertFalse(wants(selector, MSGPACK.encode(MESSAGES[1])))
        self.assertTrue(wants(ARRAYS.selector_for((Done,)), ARRAYS.encode(Done(1))))
        self.assertFalse(wants(ARRAYS.selector_for((Done,)), ARRAYS.encode(Fill(1, 1.5))))

    @given(st.text(min_size=1), st.booleans())
    def test_none_missed(self, tag: str, escaped: bool) -> None:
        """Whatever the tag is and however it is escaped, no message is missed."""
        first = msgspec.defstruct("First", [("id", int)], tag=tag)
        other = msgspec.defstruct("Other", [("id", int)], tag=tag + "x")
        payload = json.dumps({"type": tag, "id": 1}, ensure_ascii=escaped)
        codec = msgspec_json(first | other)
        try:
            self.assertEqual(codec.decode(payload.encode()), first(id=1))
        except UnicodeEncodeError:
            return
        self.assertTrue(wants(codec.selector_for((first,)), payload.encode()))

    def test_base_class(self) -> None:
        """A base of all classes wants all; a class that no message is of wants nothing."""
        self.assertIsNone(JSON.selector_for((msgspec.Struct,)))
        self.assertIs(JSON.selector_for((Fill,)), NOTHING)

    def test_cannot_be_told(self) -> None:
        """There is no selector if a tag can be missing, or written in other ways."""
        cases: list[tuple[MsgspecCodec, type]] = [
            (msgspec_json(Order), Order),
            (msgspec_json(Order | None), Order),
            (msgspec_json(Order | list[int]), Order),
            (msgspec_json(One | Two), One),
            (msgspec_json(int | str), int),
            (msgspec_msgpack(One | Two), One),
        ]
        for codec, cls in cases:
            self.assertIsNone(codec.selector_for((cls,)))
