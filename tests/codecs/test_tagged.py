"""Tests of the codec of messages after a tag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.codecs import RawCodec, TaggedCodec, fixed, tagged, text
from twisted_repeater.errors import MarshalingError, ParseError
from twisted_repeater.testing import check_codec


@dataclass
class Order:
    """A message."""

    id: int
    price: int


@dataclass
class BigOrder(Order):
    """A kind of it."""


@dataclass
class Cancel:
    """Another."""

    id: int


CODEC = tagged({b"O": fixed(Order, id="B", price="B"), b"C": fixed(Cancel, id="B"), b"T": text()})


class TaggedTests(SynchronousTestCase):
    """Messages of several kinds."""

    def test_conformance(self) -> None:
        """It keeps what a repeater relies on."""
        check_codec(CODEC, [Order(1, 2), Cancel(3), "hello", ""])

    def test_kinds(self) -> None:
        """The tag says which codec is used, the class says which tag."""
        for payload, message in ((b"O\1\2", Order(1, 2)), (b"C\3", Cancel(3)), (b"Thi", "hi")):
            self.assertEqual(CODEC.decode(payload), message)
            self.assertEqual(CODEC.encode(message), payload)

    def test_subclass(self) -> None:
        """A subclass is written as its nearest base class that has a tag."""
        self.assertEqual(CODEC.encode(BigOrder(1, 2)), b"O\1\2")

    def test_no_kind(self) -> None:
        """A message of another class is a marshaling error."""
        error = self.assertRaises(MarshalingError, CODEC.encode, b"bytes")
        self.assertEqual(str(error), "expected Order or Cancel or str, got bytes")

    def test_unknown_tag(self) -> None:
        """An unknown or missing tag is a parse error."""
        codec = tagged({b"NEW": text()})
        for payload, told in ((b"OLD..", "expected a tag at byte 0, found b'OLD'"), (b"", "no tag: empty")):
            error = self.assertRaises(ParseError, codec.decode, payload)
            self.assertEqual((str(error), error.offset), (told, 0))

    def test_error_behind_the_tag(self) -> None:
        """An error of the kind's own codec says so, and counts the offset from the payload's beginning."""
        error = self.assertRaises(ParseError, CODEC.decode, b"O\1")
        self.assertEqual(str(error), "after the tag b'O': price: expected 1 bytes at byte 1, found 0")
        self.assertEqual((error.field, error.offset), ("price", 2))

    def test_error_without_offset(self) -> None:
        """An error without an offset gets none."""

        class Even:
            def __init__(self, value: int) -> None:
                if value % 2:
                    raise ValueError("odd")

        error = self.assertRaises(ParseError, tagged({b"E": fixed(Even, value="B")}).decode, b"E\1")
        self.assertIsNone(error.offset)

    def test_selector(self) -> None:
        """The messages of some classes are told by their tags, exactly."""
        selector = CODEC.selector_for((Order, str))
        self.assertEqual(repr(selector), "first_byte(b'OT')")
        codec = tagged({b"NEW": fixed(Order, id="B", price="B"), b"CXL": fixed(Cancel, id="B")})
        self.assertEqual(repr(codec.selector_for((Cancel,))), "bytes_at(0, [b'CXL'])")
        self.assertIsNone(codec.selector_for((Cancel, Order)))

    def test_nested(self) -> None:
        """A tagged codec may follow a tag itself."""
        outer = tagged({b"1": CODEC, b"2": fixed(Empty, value="B")})
        self.assertEqual(outer.decode(b"1C\7"), Cancel(7))
        self.assertEqual(outer.encode(Cancel(7)), b"1C\7")
        self.assertEqual(repr(outer.selector_for((Empty,))), "first_byte(b'2')")


@dataclass
class Empty:
    """A message."""

    value: int


class DeclarationTests(SynchronousTestCase):
    """Mistakes in a declaration are told when the codec is made."""

    def test_tags(self) -> None:
        """The tags are of one length, and not empty."""
        wrong: list[Any] = [{}, {b"": text()}, {b"A": text(), b"BC": fixed(Cancel, id="B")}]
        for codecs in wrong:
            with self.assertRaisesRegex(ValueError, "of one length, at least one byte"):
                TaggedCodec(codecs)

    def test_unknown_classes(self) -> None:
        """Each codec must know the classes of its messages."""
        with self.assertRaisesRegex(TypeError, "b'R': the codec does not know"):
            tagged({b"R": RawCodec()})

    def test_class_twice(self) -> None:
        """No class is under two tags: it could not be written."""
        with self.assertRaisesRegex(ValueError, "str is under two tags"):
            tagged({b"A": text(), b"B": text("ascii")})
