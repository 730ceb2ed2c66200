"""Messages as people read them."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from msgspec import Struct
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.codecs import LEFT_OUT
from twisted_repeater.dialects.fix.messages import Message as FixMessage
from twisted_repeater.dialects.fix.messages import NewOrderSingle
from twisted_repeater.dialects.hl7.batches import Batch
from twisted_repeater.dialects.hl7.frames import Raw as Hl7Raw
from twisted_repeater.dialects.hl7.messages import Message as Hl7Message
from twisted_repeater.dialects.modbus import ReadHoldingRegistersResponse, WriteRegisters
from twisted_repeater.dialects.mqtt.messages import Connect, Publish, Subscribe, Subscription, Will
from twisted_repeater.dialects.mqtt.properties import Properties, Property
from twisted_repeater.dialects.postgres.messages import (
    Column,
    DataRow,
    ErrorResponse,
    Query,
    ReadyForQuery,
    RowDescription,
)
from twisted_repeater.dialects.redis.messages import Command, Reply
from twisted_repeater.dialects.redis.messages import Raw as RawCommand
from twisted_repeater.service.admin.described import Described, Space, described, types_of

SPACE = Space(value=100, rows=20, total=2000)
PATIENT = b"MSH|^~\\&|LAB|X|||2020||ADT^A01|17|P|2.3\rPID|1||123^^^M||DOE^JOHN\rOBX|1|a\rOBX|2|b\r"

Pair = namedtuple("Pair", "left right")


class Point(Struct):
    """A struct of an application."""

    x: int
    inner: Any = None


@dataclass
class Odd:
    """A message whose parts are of all kinds."""

    parts: Any


class Evil:
    """A message whose methods fail."""

    DESCRIPTOR = SimpleNamespace(fields=[SimpleNamespace(name="gone")])


def about(message: Any, space: Space = SPACE) -> Described:
    """Describe a message."""
    return described(message, space)


def rows(message: Any) -> dict[str, str]:
    """Return the fields of a message."""
    return {field.name: field.value for field in about(message).fields or ()}


class DialectTests(SynchronousTestCase):
    """Messages of the dialects."""

    def test_fix(self) -> None:
        """A message of FIX has the names of its type and of its fields, and a line without its header."""
        order = NewOrderSingle({11: "1", 55: "MSFT", 38: 1000, 9999: "x"})
        found = about(order)
        self.assertEqual(found.types, ("NewOrderSingle (D)", "NewOrderSingle", "D"))
        self.assertEqual(found.summary, "NewOrderSingle (D) ClOrdID=1 Symbol=MSFT OrderQty=1000 9999=x")
        self.assertIn(("38", "1000", "OrderQty"), [tuple(field) for field in found.fields or ()])
        self.assertEqual(types_of(FixMessage("U7")), ("U7",))

    def test_repeated(self) -> None:
        """A field that occurs twice cannot be named, and one that is cut is not whole."""
        found = about(
            FixMessage("8", [(447, "D"), (448, "A"), (447, "E"), (448, "x" * 200), (58, "y" * 200), (1, "z")])
        )
        self.assertEqual(found.whole, {"35", "1"})
        self.assertIn("y" * 100 + "…", rows(FixMessage("8", {58: "y" * 200}))["58"])

    def test_redis(self) -> None:
        """A command has its arguments, a reply its kind and its value."""
        found = about(Command("set", "k", b"\xff\n"))
        self.assertEqual((found.types, found.summary), (("SET",), r"SET k \xff\n"))
        self.assertEqual(rows(Command("set", "k")), {"command": "SET", "argument 1": "k"})
        self.assertEqual(about(Reply.failure("ERR no")).summary, "error ERR no")
        self.assertEqual((about(Reply(b"v")).summary, about(Reply(None)).summary), ("string v", "null"))
        self.assertEqual((about(Reply(7)).summary, rows(Reply(7))), ("integer 7", {"value": "7"}))
        self.assertEqual(rows(Reply([1, b"x", None])), {"1": "1", "2": "x", "3": ""})
        self.assertEqual(rows(Reply({b"a": [1, 2]})), {"a": "1, 2"})
        self.assertEqual((about(RawCommand(b"*0\r\n")).summary, about(RawCommand(b"")).fields), (r"Raw *0\r\n", None))

    def test_mqtt(self) -> None:
        """A packet has its fields, and those in them, and its properties by name."""
        properties = Properties([(Property.TOPIC_ALIAS, 3), (Property.USER_PROPERTY, ("a", "b"))])
        publish = Publish("a/b", b"23.5", qos=1, packet_id=3, properties=properties)
        self.assertEqual(about(publish).summary, "Publish a/b: 23.5")
        found = rows(publish)
        self.assertEqual((found["topic"], found["retain"], found["properties.topic_alias"]), ("a/b", "false", "3"))
        self.assertEqual(found["properties.user_property.2"], "b")
        self.assertEqual(rows(Subscribe(1, (Subscription("a/#"),)))["subscriptions.1.topic_filter"], "a/#")
        self.assertEqual(rows(Connect("me", will=Will("t")))["will.topic"], "t")
        self.assertTrue(about(Connect("me")).summary.startswith("Connect client_id=me clean_start=true"))

    def test_modbus(self) -> None:
        """A message of Modbus has its function, the table, and the registers."""
        found = about(WriteRegisters(5, (1, 2)))
        self.assertEqual(found.types, ("WriteRegisters (16)", "WriteRegisters", "16"))
        self.assertEqual(found.summary, "WriteRegisters (16) holding unit=1 transaction=0 address=5 values=1, 2")
        self.assertIn("values=7", about(ReadHoldingRegistersResponse((7,))).summary)

    def test_postgres(self) -> None:
        """A statement is shown as it is, a row with its values, an error with its code."""
        self.assertEqual(about(Query("SELECT 1")).summary, "Query SELECT 1")
        self.assertEqual(about(DataRow((b"1", None))).summary, "DataRow 1 | NULL")
        self.assertEqual(about(ErrorResponse.of("no")).summary, "ErrorResponse ERROR 42501: no")
        self.assertIn(
            ("fields.M", "no", "Message"), [tuple(each) for each in about(ErrorResponse.of("no")).fields or ()]
        )
        column = Column("id", 0, 0, 23, 4, -1, 0)
        self.assertEqual(about(RowDescription((column,))).summary, "RowDescription id")
        self.assertEqual(rows(RowDescription((column,)))["columns.1.name"], "id")
        self.assertEqual(about(ReadyForQuery("I")).summary, "ReadyForQuery status=I")

    def test_hl7(self) -> None:
        """A message of HL7 has the paths of its fields; the line has no patient."""
        message = Hl7Message(PATIENT)
        found = about(message, Space(100, 50, 5000))
        self.assertEqual((found.types, found.summary), (("ADT^A01", "ADT"), "ADT^A01 17: MSH PID OBX OBX"))
        fields = {field.name: field.value for field in found.fields or ()}
        self.assertEqual((fields["PID-5"], fields["MSH-9"], fields["OBX[2]-2"]), ("DOE^JOHN", "ADT^A01", "b"))
        batch = Batch(b"BHS|^~\\&|\r" + PATIENT + PATIENT + b"BTS|2\r")
        self.assertEqual(about(batch).summary, "Batch of 2: ADT^A01 ADT^A01")
        self.assertEqual(about(batch).fields[1].label, "ADT^A01")  # type: ignore[index]
        self.assertEqual(about(Hl7Raw(b"x")).summary, "Raw x")


class PlainTests(SynchronousTestCase):
    """Messages of other classes."""

    def test_payloads(self) -> None:
        """Bytes and text are shown as text, in JSON with the fields of the object."""
        self.assertEqual(about(b"\x00" + b"a" * 300).summary, "\\x00" + "a" * 195 + "…")
        self.assertEqual((about(b"hello").types, about("hello").summary, about("hello").fields), ((), "hello", None))
        found = rows(b'{"a": [1, {"b": 2}], "\\ud800": null, "d": {"e": "x"}}')
        self.assertEqual(found, {"a.1": "1", "a.2.b": "2", "\\ud800": "", "d.e": "x"})
        self.assertEqual((about(b"{not").summary, about(b"{not").fields), ("{not", None))

    def test_large_json(self) -> None:
        """JSON that would take long to read is shown as text, and of a list only the rows that are shown are made."""
        large = b'{"a":"%s"}' % (b"x" * 64 * 1024)
        self.assertIsNone(about(large).fields)

        class Long(list[Any]):
            """A list that is never read to its end."""

            def __iter__(self) -> Any:
                yield from ("a", "b", "c")
                raise AssertionError("too far")

        found = described({"x": Long(["a"])}, Space(10, 2, 1000)).fields
        assert found is not None
        self.assertEqual([field.name for field in found], ["x.1", "x.2", "…"])

    def test_classes(self) -> None:
        """Named tuples, structs and mappings have fields; what has none is shown by its repr."""
        self.assertEqual(
            (about(Pair(1, 2)).summary, rows(Pair(1, 2))), ("Pair left=1 right=2", {"left": "1", "right": "2"})
        )
        self.assertEqual(rows(Point(1, {"y": 1.5, 2: {3}})), {"x": "1", "inner.y": "1.5", "inner.2.1": "3"})
        self.assertEqual(rows({b"k": True, "n": Property.TOPIC_ALIAS}), {"k": "true", "n": "TOPIC_ALIAS"})
        self.assertEqual((about(5).summary, about(None).summary, about(LEFT_OUT).types), ("5", "", ("_LeftOut",)))
        self.assertTrue(about(object()).summary.startswith("object <object"))
        deep: Any = [1, "x"]
        for _ in range(20):
            deep = [deep]
        found = about(Odd(deep))
        self.assertTrue(any("[" in value for value in rows(Odd(deep)).values()), found)
        self.assertEqual(about(Odd(object())).whole, frozenset())
        self.assertEqual(rows(Odd(bytearray(b"x"))), {"parts": "x"})

    def test_room(self) -> None:
        """There are at most so many fields, and so much of them; what is left out is said."""
        many = about({str(at): at for at in range(100)})
        self.assertEqual((len(many.fields or ()), many.fields[-1].name), (21, "…"))  # type: ignore[index]
        large = about({str(at): "x" * 90 for at in range(10)}, Space(100, 100, 200))
        self.assertEqual(len(large.fields or ()), 4)

    def test_failing(self) -> None:
        """A message whose methods fail is described all the same; Ctrl-C is not caught."""
        self.assertIn("Evil, which cannot be shown: AttributeError", about(Evil()).summary)

        class Interrupting(Evil):
            @property
            def gone(self) -> None:
                raise KeyboardInterrupt

        self.assertRaises(KeyboardInterrupt, about, Interrupting())
