"""Single fields of messages with other values."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, field
from enum import Enum
from types import SimpleNamespace
from typing import Any

from msgspec import Struct
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.fix import FixCodec
from twisted_repeater.dialects.fix.messages import Logon, NewOrderSingle
from twisted_repeater.dialects.hl7.batches import Batch
from twisted_repeater.dialects.hl7.messages import Message as Hl7Message
from twisted_repeater.dialects.modbus import WriteCoil, WriteRegisters
from twisted_repeater.dialects.mqtt.messages import Connect, Publish, Subscribe, Subscription, Will
from twisted_repeater.dialects.mqtt.properties import Properties, Property
from twisted_repeater.dialects.postgres.messages import Bind, DataRow, ErrorResponse, Query
from twisted_repeater.dialects.redis.messages import Command, Reply
from twisted_repeater.service.admin.described import Space, described
from twisted_repeater.service.admin.setting import InputError, settable, with_fields

from .debugged import fix_message

SPACE = Space(1000, 200, 16_000)
ADT = Hl7Message(b"MSH|^~\\&|LAB|X|||2020||ADT^A01|17|P|2.3\rPID|1||123||DOE^JOHN\rOBX|1|a\rOBX|2|b\r")
PROPERTIES = Properties([(Property.TOPIC_ALIAS, 3), (Property.CONTENT_TYPE, "text")])

Pair = namedtuple("Pair", "left right")


class Colour(Enum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


class Point(Struct):
    """A struct of an application."""

    x: float
    name: str | None = None


@dataclass
class Own:
    """A message of an application."""

    colour: Colour = Colour.RED
    key: bytes | None = None
    count: int | None = None
    parts: Any = field(default_factory=list)


class Buffer:
    """It looks like a message of protobuf."""

    DESCRIPTOR = SimpleNamespace(fields=[SimpleNamespace(name="x")])

    def __init__(self) -> None:
        self.x = 1

    def CopyFrom(self, other: Buffer) -> None:
        """Become the same."""
        self.x = other.x


SAMPLES: list[Any] = [
    fix_message(NewOrderSingle({11: "1", 55: "MSFT", 38: 1000, 58: "a\\b"}), 7),
    Command("SET", "k", b"\xff\n"),
    Reply([1, b"x", None]),
    Reply(b"value"),
    Reply({b"a": 1.5, b"b": True}),
    Publish("a/b", b"23.5", qos=1, packet_id=3, properties=PROPERTIES),
    Subscribe(1, (Subscription("a/#", 1), Subscription("b"))),
    Connect("me", will=Will("t", b"gone")),
    WriteRegisters(5, (1, 2, 3)),
    Query("SELECT 1"),
    ErrorResponse.of("no"),
    DataRow((b"1", b"\xff")),
    Bind("", "", (), (b"a",), ()),
    ADT,
    b'{"a":[1,{"b":2}],"op":"x","none":null}',
    '{"a":1}',
    Pair(1, "x"),
    Point(1.5, "a"),
    Own(Colour.BLUE, b"k", 3, [1, "x"]),
]


class SettableTests(SynchronousTestCase):
    """Which fields can be set."""

    def test_same(self) -> None:
        """Each field that can be set can be given the value that is shown, and then the message is the same."""
        for message in SAMPLES:
            about = described(message, SPACE)
            values = {field.name: field.value for field in about.fields or ()}
            names = settable(message, about)
            self.assertTrue(names, message)
            for name in names:
                if values[name] or not isinstance(message, (Reply, Connect, bytes)):  # null is shown as nothing
                    self.assertEqual(with_fields(message, {name: values[name]}), message, (message, name))

    def test_fixed(self) -> None:
        """What the repeater writes, and the delimiters, cannot be set."""
        self.assertEqual(settable(SAMPLES[0], described(SAMPLES[0], SPACE)), ["49", "56", "52", "11", "55", "38", "58"])
        self.assertNotIn("MSH-2", settable(ADT, described(ADT, SPACE)))
        batch = Batch(b"BHS|^~\\&|A\r" + bytes(ADT) + b"BTS|1\r")
        for message in (b"text", fix_message(Logon({98: 0, 108: 30}), 1), batch):
            self.assertEqual(settable(message, described(message, SPACE)), [])


class SetTests(SynchronousTestCase):
    """New values."""

    def assert_wrong(self, message: Any, name: str, value: Any, expected: str) -> None:
        """Check that a field cannot have a value."""
        error = self.assertRaises(InputError, with_fields, message, {name: value})
        self.assertIn(expected, str(error))

    def test_fix(self) -> None:
        """Fields of FIX are named by tag or name; lengths and sums are right, null removes."""
        order = SAMPLES[0]
        changed = with_fields(order, {"OrderQty": 500, "55": "IBM", "58": None, "44": "1.5", "114": True})
        self.assertEqual(
            [changed.get(tag) for tag in (38, 55, 58, 44, 114, 34)], [b"500", b"IBM", None, b"1.5", b"Y", b"7"]
        )
        self.assertEqual(FixCodec().decode(changed.data), changed)
        self.assert_wrong(order, "OrdQty", 5, "did you mean OrderQty?")
        self.assert_wrong(order, "MsgSeqNum", 5, "field 34, MsgSeqNum, cannot be set")
        self.assert_wrong(order, "55", r"\q", "a field: a backslash must be followed")
        self.assert_wrong(order, "55", [1], "must be a text or a number, not [1]")
        self.assert_wrong(order, "55", r"a\x01b", "must not contain SOH")

    def test_redis(self) -> None:
        """A command gets other arguments, one more, or one less; a reply another value of its kind."""
        command = Command("SET", "k", "v")
        self.assertEqual(with_fields(command, {"command": "get", "argument 2": None}), Command("GET", "k"))
        self.assertEqual(
            with_fields(command, {"argument 3": "EX", "argument 1": r"\xff"}), Command("SET", b"\xff", "v", "EX")
        )
        self.assert_wrong(command, "argument 5", "x", "must be 'command' or 'argument 1' to 'argument 3'")
        self.assertEqual(bytes(with_fields(Reply.status("OK"), {"value": "NO"})), b"+NO\r\n")
        self.assertEqual(bytes(with_fields(Reply.failure("ERR"), {"value": "NO"})), b"-NO\r\n")
        self.assertEqual(bytes(with_fields(Reply(5), {"value": "6"})), b":6\r\n")
        self.assertEqual(bytes(with_fields(Reply(None), {"value": "x"})), b"$1\r\nx\r\n")
        self.assertEqual(bytes(with_fields(Reply(b"x"), {"value": None})), bytes(Reply(None)))
        self.assertEqual(with_fields(Reply(None), {"value": None}), Reply(None))
        self.assertEqual(with_fields(Reply([1, [b"a"]]), {"2.1": "b"}), Reply([1, [b"b"]]))
        self.assert_wrong(Reply(5), "x", 5, "the only field is 'value', not 'x'")
        self.assert_wrong(Reply([5]), "2", 5, "there is no field '2'; the fields are: 1")

    def test_hl7(self) -> None:
        """A path of HL7 gets what is written, delimiters included."""
        changed = with_fields(ADT, {"PID-5.1": "SMITH", "PID-3": "1^^^M", "OBX[2]-2": None})
        self.assertEqual((changed.get("PID-5.1"), changed.get("PID-3.4"), changed.get("OBX[2]-2")), ("SMITH", "M", ""))
        self.assert_wrong(ADT, "ZZZ-1", "x", "no segment 'ZZZ'")
        self.assert_wrong(ADT, "patient", "x", "ValueError")

    def test_dataclasses(self) -> None:
        """Fields of packets have values of their kinds; those in them are named by dots."""
        publish = SAMPLES[5]
        changed = with_fields(publish, {"payload": r"\x00", "retain": "true", "qos": 2, "properties.topic_alias": "4"})
        self.assertEqual((changed.payload, changed.retain, changed.qos), (b"\0", True, 2))
        self.assertEqual(
            changed.properties,
            PROPERTIES.without(Property.TOPIC_ALIAS).__class__([(Property.TOPIC_ALIAS, 4), *PROPERTIES[1:]]),
        )
        self.assertEqual(with_fields(publish, {"packet_id": None}).packet_id, None)
        self.assertEqual(with_fields(Connect("me"), {"password": "x", "username": "ann"}).password, b"x")
        self.assertEqual(with_fields(WriteCoil(1, False), {"value": True}).value, True)
        self.assertEqual(with_fields(WriteRegisters(1, (1,)), {"values": "7, 8"}).values, (7, 8))
        self.assertEqual(with_fields(WriteRegisters(1, (1,)), {"values": [9]}).values, (9,))
        for name, value, expected in (
            ("retain", "maybe", 'retain must be true or false, not "maybe"'),
            ("qos", 1.5, "qos must be a whole number, not 1.5"),
            ("qos", True, "must be a whole number"),
            ("qos", None, "qos must not be null"),
            ("colour", "x", "there is no field 'colour'; the fields are: topic, payload"),
            ("properties.topic_alias", {}, "must be a whole number, not {}"),
            ("properties", "x", "properties cannot be set; give the message as text, hex or base64"),
        ):
            self.assert_wrong(publish, name, value, expected)

    def test_null(self) -> None:
        """What is null gets a value of its kind, a number becomes null without digits, and what has parts says no."""
        row = DataRow((b"1", None))
        self.assertEqual(with_fields(row, {"1": None, "2": "x"}), DataRow((None, b"x")))
        self.assertEqual(with_fields(Bind("", "", (), (None,), ()), {"parameters.1": "x"}).parameters, (b"x",))
        self.assertIsNone(with_fields(SAMPLES[5], {"packet_id": ""}).packet_id)
        self.assert_wrong(Connect("me"), "will", "x", "will cannot be set; give the message as text")
        self.assert_wrong(WriteRegisters(1, (1,)), "values", "1,,2", 'values must be a whole number, not ""')
        self.assert_wrong(row, "3", "x", "there is no field '3'; the fields are: 1, 2")

    def test_errors(self) -> None:
        """An error names all of the way to a part, and is short: of what was given it has the beginning and the end."""
        self.assert_wrong(SAMPLES[6], "subscriptions.1.qos", [], "subscriptions.1.qos must be a whole number, not []")
        self.assert_wrong(SAMPLES[6], "subscriptions.1.x", [], "there is no field 'subscriptions.1.x'; the fields are")
        error = self.assertRaises(InputError, with_fields, SAMPLES[5], {"qos": "9" * 70_000})
        self.assertRegex(str(error), r"^qos must be a whole number, not \"9+ \.\.\. \(\d+ characters are left out\)")
        self.assertLess(len(str(error)), 600)

    def test_own(self) -> None:
        """Messages of applications have fields, too, whatever they are made of."""
        self.assertEqual(with_fields(Own(), {"colour": "BLUE", "key": "k", "count": "3"}), Own(Colour.BLUE, b"k", 3))
        self.assertEqual(with_fields(Own(), {"colour": "blue"}).colour, Colour.BLUE)
        self.assert_wrong(Own(), "colour", "green", "ValueError")
        self.assert_wrong(Own(), "parts.1", "green", "it has none")
        self.assert_wrong(Own(parts=[1]), "parts", {}, "parts cannot be set")
        self.assertEqual(with_fields(Pair(1, 2), {"right": 3}), Pair(1, 3))
        self.assertEqual(with_fields(Point(1.5), {"x": "2.5", "name": "b"}), Point(2.5, "b"))
        self.assertEqual(with_fields({b"\xff": 1, 5: [Pair(1, 2)]}, {"5.1.left": 3}), {b"\xff": 1, 5: [Pair(3, 2)]})
        self.assertEqual(with_fields(Buffer(), {"x": 3}).x, 3)
        self.assert_wrong(7, "x", 1, "it has none")

    def test_json(self) -> None:
        """An object in JSON gets other values, and the rest says the same."""
        self.assertEqual(with_fields(b'{"a": [1, {"b": 2}]}', {"a.2.b": 3}), b'{"a":[1,{"b":3}]}')
        self.assertEqual(with_fields('{"a": null}', {"a": "x"}), '{"a":"x"}')
        self.assertEqual(with_fields('{"a": 1}', {"a": None}), '{"a":null}')
        for message in (b"text", b"[1]"):
            self.assert_wrong(message, "a", 1, "the message has no fields")
        self.assert_wrong(b'{"a":"%s"}' % (b"x" * 64 * 1024), "a", 1, "the message has no fields")
        self.assertEqual(with_fields(b'{"a":1,"b":2}', {"a": 3, "b": 4}), b'{"a":3,"b":4}')

    def test_too_many(self) -> None:
        """Of a large message few fields can be set at once, as each one costs a copy of all of it."""
        changes = {f"argument {number}": "x" for number in (1, 2, 3)}
        message = Command("SET", b"a", b"b", b"c")
        self.assertEqual(with_fields(message, changes, 100).arguments, (b"x", b"x", b"x"))
        with self.assertRaisesRegex(InputError, "of a message of 500000 bytes, at most 2 fields can be set at once"):
            with_fields(message, changes, 500_000)
        with_fields(message, {"argument 1": "x"}, 5_000_000)

    def test_none(self) -> None:
        """Something must be set."""
        self.assertIn("a field at least", str(self.assertRaises(InputError, with_fields, b"", {})))
