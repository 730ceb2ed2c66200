"""Tests of the codec of Protocol Buffers messages."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.codecs import tagged, text
from twisted_repeater.codecs.protobuf import ProtobufCodec, protobuf
from twisted_repeater.errors import MarshalingError, ParseError
from twisted_repeater.testing import check_codec

TYPES = {"string": 9, "uint64": 4, "double": 1, "message": 11, "int32": 5}


def message_class(syntax: str) -> Any:
    """Make the class that protoc would make of this, where proto2 requires the first field of both::

    message Leg { string symbol = 1; Leg inner = 2; }
    message Order { uint64 id = 1; double price = 2; repeated Leg legs = 3; repeated int32 sizes = 4;
                    map<string, Leg> by_name = 5; map<string, int32> counts = 6; }
    """
    file = descriptor_pb2.FileDescriptorProto(name=f"{syntax}.proto", package=syntax, syntax=syntax)

    def declare(name: str, *fields: tuple[str, str, str], into: Any = file.message_type) -> Any:
        message = into.add(name=name)
        for number, (field, kind, repeated) in enumerate(fields, 1):
            required = syntax == "proto2" and number == 1 and into is file.message_type
            label = "LABEL_REPEATED" if repeated else "LABEL_REQUIRED" if required else "LABEL_OPTIONAL"
            scalar = TYPES.get(kind)
            of: dict[str, Any] = {"type": scalar} if scalar else {"type": 11, "type_name": f".{syntax}.{kind}"}
            message.field.add(name=field, number=number, label=FieldDescriptorProto.Label.Value(label), **of)
        return message

    declare("Leg", ("symbol", "string", ""), ("inner", "Leg", ""))
    order = declare(
        "Order",
        ("id", "uint64", ""),
        ("price", "double", ""),
        ("legs", "Leg", "*"),
        ("sizes", "int32", "*"),
        ("by_name", "Order.ByNameEntry", "*"),
        ("counts", "Order.CountsEntry", "*"),
    )
    for entry, value in (("ByNameEntry", "Leg"), ("CountsEntry", "int32")):
        nested = declare(entry, ("key", "string", ""), ("value", value, ""), into=order.nested_type)
        nested.options.map_entry = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{syntax}.Order"))


Order = message_class("proto3")
Strict = message_class("proto2")
CODEC = protobuf(Order)


def order(**fields: Any) -> Any:
    """Make a message with some legs."""
    message = Order(id=7, price=1.5, **fields)
    message.legs.add(symbol="AA")
    message.legs.add(symbol="BB").inner.symbol = "CC"
    message.by_name["x"].symbol = "DD"
    message.counts["y"] = 3
    return message


def part(number: int, content: bytes) -> bytes:
    """Write a field with a length."""
    size = len(content)
    return bytes([number << 3 | 2, *([size] if size < 128 else [size & 127 | 128, size >> 7])]) + content


class MessageTests(SynchronousTestCase):
    """Messages are read and written."""

    def test_conformance(self) -> None:
        """It keeps what a repeater relies on."""

        def grow(size: int) -> Any:
            return Order(sizes=[1] * size)

        check_codec(CODEC, [order(), order(sizes=[1, 2, 300])], grow=grow)
        check_codec(protobuf(Order, unknown=False), [order()])
        check_codec(protobuf(Strict), [Strict(id=1, sizes=[1])])

    def test_round_trip(self) -> None:
        """A message that is written is read again."""
        self.assertEqual(CODEC.decode(CODEC.encode(order())), order())
        self.assertEqual(CODEC.encode(Order(id=7)), b"\x08\x07")

    def test_behind_a_tag(self) -> None:
        """Its class is known, so that it can follow a tag."""
        codec = tagged({b"O": CODEC, b"T": text()})
        self.assertEqual(codec.decode(codec.encode(Order(id=7))), Order(id=7))

    def test_unknown_kept(self) -> None:
        """A field that the class does not have is written again as it was read."""
        payload = b"\x08\x07" + part(10, b"new")
        self.assertEqual(CODEC.encode(CODEC.decode(payload)), payload)


class ParseErrorTests(SynchronousTestCase):
    """Payloads that are no messages."""

    def check(self, payload: bytes, told: str, field: str | None, codec: ProtobufCodec[Any] = CODEC) -> None:
        """Check the error of a payload."""
        error = self.assertRaises(ParseError, codec.decode, payload)
        self.assertIn(told, str(error))
        self.assertEqual((error.field, error.offset), (field, None))

    def test_malformed(self) -> None:
        """A payload that protobuf cannot read is a parse error: cut, not UTF-8, without a field, or nested too deep."""
        nested = b""
        for _ in range(120):
            nested = part(2, nested)
        for payload in (
            b"\x08",
            b"\x08\x07\x11\0\0",
            b"\x08\x07" + part(3, b"\x0a\x05A"),
            part(5, part(2, b"\x0a\x7f")),
            part(3, part(1, b"\xff")),
            b"\x08\x07\x00",
            b"\x08" + b"\xff" * 11,
            part(3, nested),
        ):
            self.check(payload, "Error parsing message", None)

    def test_required(self) -> None:
        """A required field that is missing is named, wherever it is."""
        codec = protobuf(Strict)
        self.check(b"", "id: the required field is missing", "id", codec)
        self.check(b"\x08\x07" + part(3, b""), "legs[0].symbol: ", "legs[0].symbol", codec)

    def test_unknown_refused(self) -> None:
        """With ``unknown`` false a field that the class does not have is an error, wherever it is."""
        codec = protobuf(Order, unknown=False)
        self.assertEqual(codec.decode(CODEC.encode(order())), order())
        leg, inner, new = part(1, b"A"), part(2, part(10, b"new")), part(10, b"new")
        for payload, field in (
            (new, "10"),
            (part(3, leg) + part(3, leg + new), "legs[1].10"),
            (part(3, leg + inner), "legs[0].inner.10"),
            (part(5, part(1, b"x") + part(2, new)), "by_name[0].10"),
        ):
            self.check(payload, f"{field}: there is no such field", field, codec)


class MarshalingErrorTests(SynchronousTestCase):
    """Messages that cannot be written."""

    def test_another_class(self) -> None:
        """A message of another class is refused."""
        error = self.assertRaises(MarshalingError, CODEC.encode, Strict(id=1))
        self.assertEqual(str(error), "expected Order, got Order")
        self.assertRaises(MarshalingError, CODEC.encode, b"")

    def test_required(self) -> None:
        """A required field that is missing is named."""
        error = self.assertRaises(MarshalingError, protobuf(Strict).encode, Strict())
        self.assertEqual(error.field, "id")
        self.assertIn("missing required fields", str(error))
