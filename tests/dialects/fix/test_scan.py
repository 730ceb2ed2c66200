"""Tests of the scan of fields: judged by a simple reader, and on wrong bytes."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.fix.scan import Garbled, Scanned, check_sum, read_as, type_of, written
from twisted_repeater.errors import ParseError

from .samples import FIELDS, LOGON, ORDER, fields_in, frame

TAGS = st.integers(11, 60) | st.sampled_from([8, 9, 10, 35, 95, 96, 354, 355, 89, 5000])


def made(fields: list[tuple[int, bytes]]) -> bytes:
    """Return a whole message with these fields in its body."""
    return frame(b"35=B\1" + b"".join(b"%d=%b\1" % field for field in fields))


class ReadTests(SynchronousTestCase):
    """Fields that are found."""

    @given(FIELDS, TAGS)
    def test_judged(self, fields: list[tuple[int, bytes]], tag: int) -> None:
        """It finds the fields that a simple reader finds, also where data contain anything."""
        data = made(fields)
        expected = fields_in(data)
        for message in (Scanned(data), Scanned(b"".join(b"%d=%b\1" % own for own in expected[2:-1]))):
            shown = expected if message.data is data else expected[2:-1]
            self.assertEqual(message.fields, tuple(shown))
            values = tuple(value for own, value in shown if own == tag)
            self.assertEqual(message.values(tag), values)
            self.assertEqual(message.get(tag), values[0] if values else None)
            self.assertEqual(message.text(tag), values[0].decode("latin-1") if values else None)

    def test_data_are_not_fields(self) -> None:
        """What looks like a field within data is none, and the fields after the data are found."""
        inner = "\00155=FAKE\00110=000\1"
        message = Scanned(frame(f"35=B|55=A|95={len(inner)}|96={inner}|38=7|"))
        self.assertEqual((message.get(55), message.get(38), message.get(96)), (b"A", b"7", inner.encode()))
        self.assertEqual(Scanned(frame(f"35=B|212={len(inner)}|213={inner}|")).get(55), None)

    def test_length_without_data(self) -> None:
        """A length counts only for its own data, right behind it."""
        message = Scanned(frame("35=B|95=3|58=abc|96=q|55=A|"))
        self.assertEqual(message.fields[3:7], ((95, b"3"), (58, b"abc"), (96, b"q"), (55, b"A")))
        self.assertEqual(message.get(55), b"A")

    def test_bytes(self) -> None:
        """Values are bytes: their length is not counted in characters."""
        value = "\u00e9\u4e2d".encode()
        message = Scanned(frame(b"35=B\x01354=5\x01355=" + value + b"\x0158=\xff\xfe\1"))
        self.assertEqual((message.get(355), message.text(58)), (value, "\xff\xfe"))

    def test_values(self) -> None:
        """Values are read as numbers and flags."""
        message = Scanned(frame("35=D|38=100|44=-0012.50|34=00000022|43=Y|97=N|123=YY|15=+.5|16=7.|"))
        self.assertEqual(message.number(38), 100)
        self.assertEqual(str(message.number(44)), "-12.50")
        self.assertEqual((message.number(15), message.number(16)), (Decimal("0.5"), 7))
        self.assertEqual((message.whole(34), message.whole(38), message.whole(99)), (22, 100, None))
        self.assertEqual([message.flag(tag) for tag in (43, 97, 123, 99)], [True, False, False, False])
        self.assertIsNone(message.number(99))

    def test_wrong_values(self) -> None:
        """A value that is no number is an error that names the field."""
        for value in ("", "x", "1e5", "1.2.3", "-", ".", "+", "NaN", " 1", "1 ", "1-"):
            message = Scanned(frame(f"35=D|38={value}|"))
            self.assertEqual(self.assertRaises(ParseError, message.number, 38).field, "38")
            self.assertEqual(self.assertRaises(ParseError, message.whole, 38).field, "38")
        for value in ("-1", "1.0", "1234567890123456789"):
            self.assertRaises(ParseError, Scanned(frame(f"35=D|34={value}|")).whole, 34)

    def test_first_field(self) -> None:
        """The first field of a message without a header is found as well."""
        message = Scanned(b"35=D\x01135=x\x015=y\1")
        self.assertEqual((message.get(35), message.get(135), message.get(5)), (b"D", b"x", b"y"))
        self.assertEqual((message.get(3), message.get(0), message.get(-1)), (None, None, None))

    def test_chosen(self) -> None:
        """Fields with some tags are found in order, as often as they are there, and not within data."""
        message = Scanned(frame("35=B|55=A|95=5|96=x|38=|38=7|55=B|"))
        self.assertEqual(message.chosen(frozenset((38, 55))), ((55, b"A"), (38, b"7"), (55, b"B")))
        self.assertEqual((message.has_data, Scanned(b"35=B\1").has_data), (True, False))

    def test_type(self) -> None:
        """MsgType is found without a look at anything else."""
        for data, kind in (
            (ORDER, b"D"),
            (frame("35=AB|"), b"AB"),
            (b"8=FIX.4.4\x019=5\x0135=D", b""),
            (b"8=FIX.4.4\x019=5\x0134=D\1", b""),
            (b"8=FIX.4.4\x019=5\x0135\1", b""),
            (b"8=FIX", b""),
            (b"", b""),
        ):
            self.assertEqual(type_of(data), kind)

    def test_class(self) -> None:
        """A message gets the class of its type, or the other one."""

        class Order(Scanned): ...

        self.assertIs(type(read_as({b"D": Order}, Scanned, ORDER)), Order)
        self.assertIs(type(read_as({b"D": Order}, Scanned, LOGON)), Scanned)
        self.assertRaises(ParseError, read_as, {}, Scanned, b"35=D\1")


class WrongTests(SynchronousTestCase):
    """Bytes that are not a message."""

    def test_garbled(self) -> None:
        """A wrong BodyLength or CheckSum is told from other errors, and does not end the link."""
        for data, complaint in (
            (frame("35=D|", check="000"), "CheckSum must be 183"),
            (frame("35=D|", check="1x3"), "CheckSum must be 183"),
            (frame("35=D|")[:-1] + b"\2", "CheckSum must be 183"),
            (frame("35=D|", length="6"), "BodyLength must be 5"),
            (frame("35=D|", length="x"), "BodyLength must be 5"),
            (frame("35=D|", length=""), "BodyLength must be 5"),
            (frame("35=D|", length="0" * 19), "BodyLength must be 5"),
            (frame("35=D|", check="1830"), "the last field must be CheckSum, with three digits"),
            (b"8=FIX.4.4\x019=5\x0135=D\1", "the last field must be CheckSum, with three digits"),
            (b"8=FIX.4.4\x019=0\1", "the last field must be CheckSum, with three digits"),
        ):
            error = self.assertRaises(Garbled, Scanned, data)
            self.assertEqual((str(error), error.ends_link), (complaint, False))

    def test_leading_zeros(self) -> None:
        """BodyLength and other numbers may have leading zeros."""
        data = frame("35=D|34=00000022|", length="000017")
        self.assertEqual((Scanned(data).data, Scanned(data).whole(34)), (data, 22))

    def test_malformed(self) -> None:
        """What is not a field, and a length of data that lies, end the link."""
        for body in (
            *(
                "35=D|x=1|",
                "35=D|=1|",
                "35=D|58|",
                "35=D||",
                "35=D|058=1|",
                "35=D|0=1|",
                "35=D|1234567890=1|",
                "35=D|-5=1|",
            ),
            *("35=D|95=4|96=abc|", "35=D|95=2|96=abc|", "35=D|95=|96=abc|", "35=D|95=x|96=abc|", "35=D|95=-1|96=abc|"),
            *("35=D|95=999999999999999999|96=abc|", "35=D|95=9999999999999999999|96=abc|"),
            *("34=1|35=D|", "58=a|"),
        ):
            error = self.assertRaises(ParseError, Scanned, frame(body))
            self.assertEqual((type(error), error.ends_link), (ParseError, True), body)
        for data in (
            b"",
            b"3",
            b"35",
            b"35=D",
            b"34=1\1",
            b"8=FIX\x0135=D\1",
            b"8=FIX\x0195=1\1",
            b"35=D\x0195=1\x0196=ab",
        ):
            self.assertRaises(ParseError, Scanned, data)

    @given(st.binary(max_size=40), st.integers(0, 400), TAGS)
    def test_anything(self, junk: bytes, at: int, tag: int) -> None:
        """Any bytes are a message or a `ParseError`, and nothing outside of them is read."""
        at %= len(ORDER)
        for data in (junk, ORDER[:at] + junk + ORDER[at + len(junk) :], b"35=B\x0195=3\x0196=" + junk):
            try:
                message = Scanned(data)
            except ParseError:
                continue
            self.assertEqual(b"".join(b"%d=%b\1" % field for field in message.fields), data)
            self.assertEqual(message.get(tag), (*message.values(tag), None)[0])

    def test_not_read(self) -> None:
        """One that was made without bytes finds nothing, and reads nothing."""
        empty = Scanned.__new__(Scanned)
        for use in (lambda: empty.get(1), lambda: empty.fields, lambda: empty.edited({}), lambda: empty.flag(1)):
            self.assertRaises((TypeError, AttributeError), use)


class RenumberedTests(SynchronousTestCase):
    """Another MsgSeqNum."""

    @given(FIELDS, FIELDS, st.sampled_from([b"1", b"9", b"0010", b"99", b"123456"]), st.integers(1, 10**9))
    def test_judged(
        self, before: list[tuple[int, bytes]], after: list[tuple[int, bytes]], old: bytes, number: int
    ) -> None:
        """It does what an edit of all fields does, wherever the number is, and the result can be read."""
        message = Scanned(made([*before, (34, old), *after]))
        again = message.renumbered(number)
        self.assertEqual(again.data, message.edited({34: b"%d" % number}))
        self.assertEqual(again.fields, Scanned(again.data).fields)
        self.assertEqual(again.renumbered(7).whole(34), 7)

    def test_without_a_header(self) -> None:
        """A message without a number, or without a header, cannot be renumbered."""
        for data in (b"35=D\x0134=7\1", made([(55, b"A")])):
            self.assertRaises(ValueError, Scanned(data).renumbered, 8)


class EditedTests(SynchronousTestCase):
    """Messages in which some fields are different."""

    @given(
        FIELDS,
        st.dictionaries(TAGS.filter(lambda tag: tag not in (8, 9, 10, 93, 95, 354)), st.none() | st.just(b"new")),
    )
    def test_judged(self, fields: list[tuple[int, bytes]], changes: dict[int, bytes | None]) -> None:
        """Only the fields that were named are different, and BodyLength and CheckSum are right."""
        changes = {tag: value for tag, value in changes.items() if tag != 35}
        data = made(fields)
        edited = Scanned(data).edited(changes)
        Scanned(edited)
        left = {96: 95, 355: 354, 89: 93}
        named = {9, 10, *changes, *(left[tag] for tag in changes if tag in left)}
        kept = [field for field in fields_in(data) if field[0] not in named]
        self.assertEqual([field for field in fields_in(edited) if field[0] not in named], kept)
        for tag, value in changes.items():
            before = Scanned(data).values(tag)
            self.assertEqual(Scanned(edited).values(tag), ((value,) if value is not None else ()) + before[1:])

    def test_untouched(self) -> None:
        """Nothing changed is the same bytes, but for the zeros of BodyLength."""
        self.assertEqual(Scanned(ORDER).edited({}), ORDER)
        self.assertEqual(Scanned(frame("35=D|", length="0005")).edited({}), frame("35=D|"))

    def test_order_and_repeats(self) -> None:
        """Fields keep their order, and of repeated ones the first is changed."""
        data = frame("35=D|78=2|79=A|80=1|79=B|80=2|")
        self.assertEqual(Scanned(data).edited({79: b"C"}), frame("35=D|78=2|79=C|80=1|79=B|80=2|"))
        self.assertEqual(Scanned(data).edited({79: None}), frame("35=D|78=2|80=1|79=B|80=2|"))

    def test_new_fields(self) -> None:
        """A new field of the header goes behind the header, any other before the trailer."""
        data = frame("35=D|34=2|11=A|93=1|89=x|")
        self.assertEqual(
            Scanned(data).edited({58: b"t", 43: b"Y", 34: b"3", 122: b"z", 99: None}),
            frame("35=D|34=3|43=Y|122=z|11=A|58=t|93=1|89=x|"),
        )
        self.assertEqual(Scanned(b"35=D\x0111=A\1").edited({58: b"t", 97: b"Y"}), b"35=D\x0197=Y\x0111=A\x0158=t\1")
        self.assertEqual(Scanned(frame("35=0|34=1|")).edited({43: b"Y"}), frame("35=0|34=1|43=Y|"))

    def test_data(self) -> None:
        """The length of data follows the data."""
        data = frame("35=B|95=1|96=a|")
        self.assertEqual(Scanned(data).edited({96: b"b\1c"}), frame("35=B|95=3|96=b|c|"))
        self.assertEqual(Scanned(data).edited({96: None}), frame("35=B|"))
        self.assertEqual(Scanned(data).edited({355: b"xy"}), frame("35=B|95=1|96=a|354=2|355=xy|"))

    def test_written(self) -> None:
        """Fields are written in order; BodyLength and CheckSum are computed for a message with BeginString."""
        self.assertEqual(written(fields_in(ORDER)), ORDER)
        self.assertEqual(written([(35, b"D"), (11, b"A")]), b"35=D\x0111=A\1")
        self.assertEqual(written([]), b"")

    def test_check_sum(self) -> None:
        """The sum of bytes is modulo 256."""
        self.assertEqual(check_sum(b"\xff" * 300, 299), 255 * 299 % 256)
        self.assertEqual((check_sum(b"", 0), check_sum(b"ab", 1), check_sum(b"ab", 99)), (0, 97, 195))
