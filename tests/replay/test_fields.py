"""The parts of decoded messages, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.fix import Message as FixMessage
from twisted_repeater.dialects.mqtt import ConnAck, Properties, Property
from twisted_repeater.dialects.redis import Command, Reply
from twisted_repeater.replay.fields import from_json, named_parts, plain_of, rebuilt


class Place(NamedTuple):
    """A named tuple."""

    street: str
    number: int


class Struct(msgspec.Struct):
    """A struct of msgspec."""

    name: str


@dataclass(frozen=True)
class Order:
    """A dataclass."""

    place: Place
    items: list[str]


class Unknown:
    """A class that nothing is known about."""

    __slots__ = ("items",)

    def __repr__(self) -> str:
        return "<unknown>"


def keep(name: str | None, value: object) -> object:
    """Change nothing."""
    return value


def to_new(text: bytes) -> bytes:
    """Put "new" in the place of "old"."""
    return text.replace(b"old", b"new")


CONNACK = ConnAck(properties=Properties([(Property.ASSIGNED_CLIENT_IDENTIFIER, "old1"), (Property.MAXIMUM_QOS, 1)]))


class FieldsTests(SynchronousTestCase):
    """Promises about the parts of messages."""

    def test_parts_have_their_names(self) -> None:
        """Messages of all kinds have their parts, with the names that the dialect gives them."""
        for message, parts in (
            (Reply([b"a"]), [("value", [b"a"])]),
            (Command("GET", b"x"), [("name", "GET"), ("arguments", (b"x",))]),
            (FixMessage("B", {148: "x"}), [("35", b"B"), ("148", b"x")]),
            (Place("way", 3), [("street", "way"), ("number", 3)]),
            (Struct("ann"), [("name", "ann")]),
            ({b"id": 1, 2: 3}, [("id", 1), ("2", 3)]),
            ([1, (2, 3)], [(None, 1), (None, (2, 3))]),
            (CONNACK.properties, [("assigned_client_identifier", "old1"), ("maximum_qos", 1)]),
            (b"text", None),
            (Unknown(), None),
        ):
            self.assertEqual(parts, named_parts(message))
        self.assertEqual("session_present", (named_parts(CONNACK) or [])[0][0])

    def test_a_message_is_plain_to_compare(self) -> None:
        """Messages are equal as nested tuples if all their parts are, and their classes."""
        order = Order(Place("way", 3), ["a"])
        self.assertEqual(plain_of(order, keep), plain_of(Order(Place("way", 3), ["a"]), keep))
        self.assertNotEqual(plain_of(order, keep), plain_of(Order(Place("way", 4), ["a"]), keep))
        self.assertEqual("<unknown>", plain_of(Unknown(), keep))

    def test_a_part_can_be_masked(self) -> None:
        """Where the function returns something else, the parts below are not looked at."""

        def mask(name: str | None, value: object) -> object:
            return "*" if name == "place" else value

        self.assertEqual(
            ("Order", ("place", "*"), ("items", ("list", (None, "a")))), plain_of(Order(Place("w", 1), ["a"]), mask)
        )

    def test_json_is_read(self) -> None:
        """A message that is JSON has parts; another text has none, even if it begins in the same way."""
        self.assertEqual({"id": 1}, from_json(b'{"id": 1}'))
        self.assertEqual([1], from_json("[1]"))
        for message in (b"{x", b"[" * 100_000, b"", "text", 3):
            self.assertEqual(message, from_json(message))

    def test_texts_can_be_replaced(self) -> None:
        """A message with other texts is of the same class, whatever that is."""
        for message, expected in (
            (b"old", b"new"),
            ("an old one", "an new one"),
            (Command("GET", b"old"), Command("GET", b"new")),
            (Place("old", 1), Place("new", 1)),
            (Order(Place("old", 1), ["b", "old"]), Order(Place("new", 1), ["b", "new"])),
            (Struct("old"), Struct("new")),
            ({"old": "old", 1: b"old"}, {"old": "new", 1: b"new"}),
            (("old", 1), ("new", 1)),
        ):
            changed: Any = rebuilt(message, to_new)
            self.assertEqual((expected, type(expected)), (changed, type(changed)))
        self.assertEqual("new1", rebuilt(CONNACK, to_new).properties.get(Property.ASSIGNED_CLIENT_IDENTIFIER))
        self.assertEqual(b"new", rebuilt(FixMessage("B", {148: "old"}), to_new)[148])

    def test_what_has_not_changed_is_the_same_object(self) -> None:
        """A message without the text is returned itself, and so is one that cannot be built again."""
        unchanged: tuple[object, ...] = (
            b"x",
            "x",
            Command("GET", b"x"),
            FixMessage("B", {148: "x"}),
            CONNACK.reason,
            [],
            Place("x", 1),
            Reply(b"old"),
        )
        for message in unchanged:
            self.assertIs(message, rebuilt(message, to_new))
