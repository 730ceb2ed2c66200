"""Bytes and decoded messages, as JSON has them."""

from __future__ import annotations

import enum
import json
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.fix.codec import FixCodec
from twisted_repeater.recording.export.plain import bytes_of, plain, plain_bytes


class Colour(enum.IntEnum):
    """A colour."""

    RED = 1


@dataclass(frozen=True, slots=True)
class Order:
    """A message that is a dataclass with slots."""

    symbol: str
    data: bytes
    colour: Colour = Colour.RED


@dataclass
class Nothing:
    """A message without fields."""


class Position(NamedTuple):
    """A named tuple."""

    x: int
    y: float


class Slotted:
    """A message with slots, some of them private, one not set."""

    __slots__ = ("_secret", "price", "unset")

    def __init__(self) -> None:
        self._secret = 1
        self.price = Decimal("1.50")


class Derived(Slotted):
    """A class with another slot, written as a text, and without a dictionary."""

    __slots__ = "more"

    def __init__(self) -> None:
        super().__init__()
        self.more = [1]


class Ordinary:
    """A message with ordinary attributes."""

    def __init__(self) -> None:
        self.name = "ann"
        self._private = 2


class Text(str):
    """A text with a method of its own."""

    def __str__(self) -> str:
        return "other"


class PlainTests(SynchronousTestCase):
    """What JSON has for an object."""

    def test_values(self) -> None:
        """Numbers, texts and the like are as they are; those of derived classes are plain ones."""
        for value in (None, True, 1, 1.5, "a", [1, "b"], {"a": [None]}):
            self.assertEqual(plain(value), value)
        self.assertEqual(plain(Text("text")), "text")
        self.assertIs(type(plain(Text("text"))), str)
        self.assertEqual(plain(Colour.RED), "RED")
        self.assertEqual([plain(float("nan")), plain(float("-inf"))], ["nan", "-inf"])

    def test_collections(self) -> None:
        """Collections are lists, and mappings have keys that are texts."""
        self.assertEqual(plain((1, (2, 3))), [1, [2, 3]])
        self.assertEqual(plain({4}), [4])
        self.assertEqual(plain(range(3)), [0, 1, 2])
        self.assertEqual(
            plain({7: "a", b"k": "b", Colour.RED: "c", None: "d"}), {"7": "a", "k": "b", "RED": "c", "None": "d"}
        )

    def test_messages(self) -> None:
        """A message is its class, and its fields or public attributes."""
        self.assertEqual(
            plain(Order("ACME", b"\x00\xff")),
            {"class": "Order", "symbol": "ACME", "data": {"base64": "AP8=", "text": r"\x00\xff"}, "colour": "RED"},
        )
        self.assertEqual(plain(Nothing()), {"class": "Nothing"})
        self.assertEqual(plain(Position(1, 2.5)), {"class": "Position", "x": 1, "y": 2.5})
        self.assertEqual(plain(Slotted()), {"class": "Slotted", "price": "Decimal('1.50')", "unset": None})
        self.assertEqual(plain(Derived())["more"], [1])
        self.assertEqual(plain(Ordinary()), {"class": "Ordinary", "name": "ann"})

    def test_others(self) -> None:
        """What has no fields is shown as Python shows it."""
        self.assertEqual(plain(deque([1])), "deque([1])")
        self.assertEqual(plain(1j), "1j")

    def test_messages_of_dialects(self) -> None:
        """A message that is decoded when it is asked is shown with what it has."""
        message = FixCodec().decode(b"8=FIX.4.4\x019=5\x0135=0\x0110=163\x01")
        self.assertEqual(
            plain(message),
            {"class": "Heartbeat", "type": "0", "fields": [[8, "FIX.4.4"], [9, "5"], [35, "0"], [10, "163"]]},
        )

    def test_depth(self) -> None:
        """An object that contains itself ends as a text."""
        endless: list[Any] = []
        endless.append(endless)
        self.assertIn("[...]", json.dumps(plain(endless)))


class BytesTests(SynchronousTestCase):
    """Bytes as JSON."""

    def test_text(self) -> None:
        """Bytes that are UTF-8 are a text."""
        self.assertEqual(plain_bytes("GET /é\r\n\x00".encode()), "GET /é\r\n\x00")
        self.assertEqual(plain(bytearray(b"ab")), "ab")
        self.assertEqual(plain(memoryview(b"ab")), "ab")

    def test_others(self) -> None:
        """Other bytes are base64, with the beginning as text for people."""
        self.assertEqual(plain_bytes(b"\xff\tab"), {"base64": "/wlhYg==", "text": r"\xff\tab"})
        text = plain_bytes(b"a" * 300 + b"\xff")
        assert isinstance(text, dict)
        self.assertEqual(text["text"], "a" * 200 + "…")

    @given(st.binary(max_size=300) | st.text().map(str.encode))
    def test_there_and_back(self, data: bytes) -> None:
        """Bytes can be turned back, through JSON too."""
        self.assertEqual(bytes_of(json.loads(json.dumps(plain_bytes(data)))), data)
