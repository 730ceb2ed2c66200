"""Tests of the values of fields."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.fix.message import Message
from twisted_repeater.dialects.fix.values import (
    Flag,
    Number,
    Text,
    Whole,
    check_tag,
    encoded,
    encoded_fields,
    placed,
    timestamp,
    with_lengths,
)


class EncodedTests(SynchronousTestCase):
    """Values as bytes."""

    def test_kinds(self) -> None:
        """Each kind of value is written as FIX has it."""
        value: Any
        for value, data in (
            (b"\xff", b"\xff"),
            ("caf\xe9", b"caf\xe9"),
            (-7, b"-7"),
            (True, b"Y"),
            (False, b"N"),
            (Decimal("1E+3"), b"1000"),
            (Decimal("12.50"), b"12.50"),
            (Decimal("1E-9"), b"0.000000001"),
            (datetime(2026, 1, 2, 3, 4, 5, 678999, UTC), b"20260102-03:04:05.678"),
        ):
            self.assertEqual(encoded(58, value), data)

    def test_time(self) -> None:
        """A time is written in UTC, from whatever zone."""
        zone = timezone(timedelta(hours=2))
        self.assertEqual(timestamp(datetime(2026, 1, 1, 1, 0, 0, 0, zone)), b"20251231-23:00:00.000")

    def test_wrong(self) -> None:
        """Values that cannot be written are refused, with the reason."""
        wrong: Any
        for wrong, kind, complaint in (
            (Decimal("NaN"), ValueError, "field 58 must be a finite number, not NaN"),
            (Decimal("Infinity"), ValueError, "field 58 must be a finite number, not Infinity"),
            (datetime(2026, 1, 1), ValueError, "a time must have a time zone, not datetime.datetime(2026, 1, 1, 0, 0)"),
            ("a\1b", ValueError, "field 58 must not contain SOH"),
            (b"a\1b", ValueError, "field 58 must not contain SOH"),
            (1.5, TypeError, "field 58 must be bytes, a string, a number, a flag or a time, not 1.5"),
            (None, TypeError, "field 58 must be bytes, a string, a number, a flag or a time, not None"),
        ):
            self.assertEqual(str(self.assertRaises(kind, encoded, 58, wrong)), complaint)
        self.assertRaises(ValueError, encoded, 58, "\u4e2d")

    def test_fields(self) -> None:
        """Fields keep their order, may repeat, and data get the right length, whatever was given for it."""
        self.assertEqual(encoded_fields({11: "a", 96: b"\1\1"}), [(11, b"a"), (95, b"2"), (96, b"\1\1")])
        self.assertEqual(encoded_fields([(79, "A"), (79, "B")]), [(79, b"A"), (79, b"B")])
        self.assertEqual(encoded_fields({95: 7, 96: b"x"}), [(95, b"1"), (96, b"x")])

    def test_tags(self) -> None:
        """A tag is a whole number above 0."""
        wrong: Any
        for wrong, kind in (
            ("8", TypeError),
            (True, TypeError),
            (0, ValueError),
            (-1, ValueError),
            (10**9, ValueError),
        ):
            self.assertRaises(kind, check_tag, wrong)
        check_tag(999_999_999)


class PlacesTests(SynchronousTestCase):
    """Where fields stand."""

    def test_with_lengths(self) -> None:
        """The length of data goes before it, and with it."""
        self.assertEqual(list(with_lengths({58: b"a", 96: b"xyz"}).items()), [(58, b"a"), (95, b"3"), (96, b"xyz")])
        self.assertEqual(with_lengths({96: None}), {95: None, 96: None})

    def test_placed(self) -> None:
        """A new field of the header goes behind the header, another before the trailer."""
        fields = ((8, b"FIX.4.4"), (35, b"D"), (55, b"A"), (10, b"000"))
        self.assertEqual([tag for tag, _ in placed(fields, [(58, b"x"), (97, b"Y")])], [8, 35, 97, 55, 58, 10])


class Sample(Message):
    """A message with a field of each kind."""

    __slots__ = ()
    text_field: Text = Text(58)
    number_field: Number = Number(44)
    whole_field: Whole = Whole(34)
    flag_field: Flag = Flag(43)


class FieldTests(SynchronousTestCase):
    """Fields as properties."""

    def test_values(self) -> None:
        """A field is read as its kind."""
        message = Sample("B", {58: "x", 44: "1.0", 34: 7, 43: True})
        self.assertEqual(
            (message.text_field, message.number_field, message.whole_field, message.flag_field),
            ("x", Decimal("1.0"), 7, True),
        )

    def test_absent(self) -> None:
        """A field that is not there is None, and a flag is not set."""
        message = Sample("B")
        self.assertEqual(
            (message.text_field, message.number_field, message.whole_field, message.flag_field),
            (None, None, None, False),
        )

    def test_read_only(self) -> None:
        """A field cannot be set: `changed` makes another message."""
        message: Any = Sample("B")
        self.assertRaises(AttributeError, setattr, message, "text_field", "x")
        self.assertIsInstance(Sample.text_field, Text)
