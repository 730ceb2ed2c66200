"""Tests of bin_prot: its bytes against recordings of the original, its errors, its limits."""

from __future__ import annotations

import enum
import json
import math
import struct
import sys
import tracemalloc
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import skipIf

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater.codecs.bin_prot import (
    BinType,
    array_of,
    bin_bool,
    bin_char,
    bin_float,
    bin_int,
    bin_int32,
    bin_int64,
    bin_nat0,
    bin_prot_codec,
    bin_string,
    bin_text,
    bin_time,
    bin_unit,
    enumeration,
    lazy,
    list_of,
    option,
    pair,
    record,
    text,
    tuple_of,
    variant,
)
from twisted_repeater.errors import MarshalingError, ParseError
from twisted_repeater.interfaces import ICodec

if TYPE_CHECKING:
    from collections.abc import Callable

try:
    import msgspec
except ImportError:  # an optional extra
    msgspec = None  # type: ignore[assignment]
from ..drawn import examples
from ..paths import VECTORS

ENTRIES = json.loads((VECTORS / "async_extra.json").read_text())["entries"]

MIN_INT, MAX_INT = -(2**62), 2**62 - 1


# -- types that the tests share -----------------------------------------------------------------------------


class Mode(enum.Enum):
    TEST = "test"
    PRODUCTION = "prod"


class Doubled(enum.Enum):
    A = 1
    B = 1  # noqa: PIE796
    C = 2


class United(enum.Flag):
    A = 1
    C = 2
    B = A | C


@dataclass(frozen=True, slots=True)
class HelloRecord:
    name: bytes
    mode: Any
    send_version: int
    recv_version: int
    credentials: bytes


@dataclass
class Header:
    time_stamp: float
    body_length: int


@dataclass
class Body:
    seq: int
    body: bytes


@dataclass
class Leg:
    side: str | Mode
    price: float
    note: str | None = None


@dataclass
class Order:
    id: int
    legs: list[Leg]
    tags: list[tuple[bytes, bool]] = field(default_factory=list)


@dataclass
class Heartbeat:
    pass


@dataclass
class Cancel:
    id: int


@dataclass(frozen=True, slots=True)
class Frozen:
    at: int


@dataclass
class Checked:
    at: int

    def __post_init__(self) -> None:
        self.checked = True


@dataclass
class Counted:
    at: int
    more: int = 5


@dataclass
class Shown:
    at: int
    notes: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class ByKeyword:
    at: int


@dataclass
class Own:
    at: int

    def __init__(self, at: int) -> None:
        self.at = at
        self.own = True


@dataclass
class Made:
    at: int

    def __new__(cls, at: int) -> Made:
        made = super().__new__(cls)
        vars(made)["made"] = True
        return made


@dataclass
class Guarded:
    at: int

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__("guarded", True)
        super().__setattr__(name, value)


@dataclass
class Measured:
    at: int

    @property  # type: ignore[no-redef]
    def at(self) -> int:
        return int(vars(self)["measured"])

    @at.setter
    def at(self, value: int) -> None:
        vars(self)["measured"] = value


@dataclass
class Deleted:
    at: int

    def __del__(self) -> None:
        assert self.at == 7


class Calling(type):
    def __call__(cls, at: int) -> Any:
        made = super().__call__(at)
        made.called = True
        return made


@dataclass
class Called(metaclass=Calling):
    at: int


class Tree(NamedTuple):
    value: int
    children: list[Any]


def hello_of(mode: BinType[Any]) -> BinType[HelloRecord]:
    return record(
        HelloRecord, name=bin_string, mode=mode, send_version=bin_int, recv_version=bin_int, credentials=bin_string
    )


HEADER = record(Header, time_stamp=bin_time, body_length=bin_int)
BODY = record(Body, seq=bin_int, body=bin_string)
LEG = record(Leg, side=enumeration(Mode), price=bin_float, note=option(bin_text))
ORDER = record(Order, id=bin_int, legs=list_of(LEG), tags=array_of(pair(bin_string, bin_bool)))
TREE: BinType[Tree] = record(Tree, value=bin_int, children=list_of(lazy(lambda: TREE)))
MESSAGE = variant(
    ORDER,
    ("Rename", bin_text, bin_text),
    "Ping",
    record(Heartbeat),
    record(Cancel, id=bin_nat0),
    ("Tree", TREE),
    (Mode.TEST, bin_unit),
    Mode.PRODUCTION,
    name="Message",
)
WIDE = variant(*[f"C{number}" for number in range(300)], ("Last", lazy(lambda: MESSAGE)))

TYPES: dict[str, BinType[Any]] = {
    "int": bin_int,
    "nat0": bin_nat0,
    "int32": bin_int32,
    "int64": bin_int64,
    "Chars": list_of(bin_char),
    "float": bin_float,
    "text": bin_text,
    "units": list_of(bin_unit),
    "lists": list_of(list_of(list_of(bin_unit))),
    "header": HEADER,
    "hello": hello_of(enumeration(Mode)),
    "tree": TREE,
    "message": MESSAGE,
    "wide": WIDE,
    "tuple": tuple_of(option(bin_float), array_of(bin_bool), text("surrogateescape")),
}


def encode(of: BinType[Any], value: Any) -> str:
    return bin_prot_codec(of).encode(value).hex()


def decode(of: BinType[Any], hexa: str) -> Any:
    return bin_prot_codec(of).decode(bytes.fromhex(hexa))


class _Transcripts(SynchronousTestCase):
    """Assertions that read as a transcript."""

    def check_same(self, of: BinType[Any], value: Any, hexa: str) -> None:
        """A value is written as these bytes, and they are read as that value."""
        self.assertEqual(encode(of, value), hexa.replace(" ", ""))
        self.assertEqual(decode(of, hexa), value)

    def check_unreadable(
        self, of: BinType[Any], hexa: str, message: str, offset: int | None, path: str | None = None, **options: int
    ) -> ParseError:
        """These bytes are refused, with that message, at that byte, in that field."""
        error: ParseError = self.assertRaises(ParseError, bin_prot_codec(of, **options).decode, bytes.fromhex(hexa))
        self.assertEqual((str(error), error.offset, error.field), (message, offset, path))
        return error

    def check_unwritable(
        self, of: BinType[Any], value: Any, message: str, path: str | None = None, **options: int
    ) -> MarshalingError:
        """This value is refused, with that message, in that field."""
        error: MarshalingError = self.assertRaises(MarshalingError, bin_prot_codec(of, **options).encode, value)
        self.assertEqual((str(error), error.field), (message, path))
        return error


# -- the wire -----------------------------------------------------------------------------------------------


class RecordedTests(_Transcripts):
    """The bytes that the original programs wrote."""

    def check_bytes(self, of: BinType[Any], value: Any, data: bytes) -> None:
        self.check_same(of, value, data.hex())

    def body_of(self, meta: dict[str, Any]) -> bytes:
        body: bytes = meta["body_text"].encode()
        size: int = meta.get("body_size", len(body))
        return (body * size)[:size]

    def check_data(self, data: bytes, time_stamp: float, body: Body) -> None:
        (size,) = struct.unpack_from("<q", data)
        payload = bin_prot_codec(BODY).encode(body)
        self.check_bytes(HEADER, Header(time_stamp, len(payload)), data[8 : 8 + size])
        self.check_bytes(BODY, body, data[8 + size :])

    def check_hello(self, meta: dict[str, Any], data: bytes) -> None:
        mode: BinType[Any] = variant("Dont_care_about_mode")
        value: Any = meta["mode"]
        if value != "Dont_care_about_mode":
            mode, value = enumeration(Mode), Mode(value)
        hello = HelloRecord(
            meta["name"].encode(), value, meta["send_version"], meta["recv_version"], meta["credentials"].encode()
        )
        self.assertEqual(struct.unpack_from("<q", data), (len(data) - 8,))
        self.check_bytes(hello_of(mode), hello, data[8:])

    def check_value(self, what: str, data: bytes) -> None:
        kind, *rest = what.split(" ", 1)
        if kind == "int":
            self.check_bytes(bin_int, int(rest[0]), data)
        elif kind == "time":
            self.check_bytes(bin_time, float(rest[0]), data)
        elif kind == "string":
            value = b"b" * int(rest[0].split("=")[1].split(" ")[0])
            whole = bin_prot_codec(bin_string).encode(value)
            self.assertEqual(whole[:9], data)
            self.check_bytes(bin_string, value, whole)
        elif kind == "header":
            time_stamp, length = (part.split("=")[1] for part in rest[0].split())
            self.check_bytes(HEADER, Header(float(time_stamp), int(length)), data[8:])
        else:
            self.assertEqual(kind, "data")
            stamp, message = rest[0].split(" msg={seq=")
            seq, body = message.rstrip("}").split(";body=")
            times = int(body.split("*")[0])
            self.check_data(data, float(stamp.split("=")[1]), Body(int(seq), b"x" * times))

    def test_every_recording(self) -> None:
        """Every recorded value reads and writes to the same bytes."""
        for entry in ENTRIES:
            meta, data = entry["meta"], bytes.fromhex(entry["hex"])
            if entry["kind"] == "hello":
                self.check_hello(meta, data)
            elif entry["kind"] == "data":
                self.check_data(data, meta["time_stamp"], Body(meta["seq"], self.body_of(meta)))
            else:
                self.check_value(meta["what"], data)


class NumberTests(_Transcripts):
    """Integers and floats."""

    def test_int_at_its_edges(self) -> None:
        """An int takes the shortest form, whose size changes exactly at these values."""
        for value, hexa in [
            (0, "00"),
            (127, "7f"),
            (128, "fe8000"),
            (2**15 - 1, "feff7f"),
            (2**15, "fd00800000"),
            (2**31 - 1, "fdffffff7f"),
            (2**31, "fc0000008000000000"),
            (MAX_INT, "fcffffffffffffff3f"),
            (-1, "ffff"),
            (-128, "ff80"),
            (-129, "fe7fff"),
            (-(2**15), "fe0080"),
            (-(2**15) - 1, "fdff7fffff"),
            (-(2**31), "fd00000080"),
            (-(2**31) - 1, "fcffffff7fffffffff"),
            (MIN_INT, "fc00000000000000c0"),
        ]:
            self.check_same(bin_int, value, hexa)

    def test_nat0_at_its_edges(self) -> None:
        """A nat0 is unsigned: it differs from an int where the highest bit of a form is set."""
        for value, hexa in [
            (0, "00"),
            (127, "7f"),
            (128, "fe8000"),
            (2**15, "fe0080"),
            (2**16 - 1, "feffff"),
            (2**16, "fd00000100"),
            (2**31, "fd00000080"),
            (2**32 - 1, "fdffffffff"),
            (2**32, "fc0000000001000000"),
            (MAX_INT, "fcffffffffffffff3f"),
        ]:
            self.check_same(bin_nat0, value, hexa)

    def test_int32_and_int64_at_their_edges(self) -> None:
        """They are written like an int, each up to the ends of its own range."""
        for value, hexa in [
            (5, "05"),
            (128, "fe8000"),
            (-1, "ffff"),
            (2**31 - 1, "fdffffff7f"),
            (-(2**31), "fd00000080"),
        ]:
            for of in (bin_int, bin_int32, bin_int64):
                self.check_same(of, value, hexa)
        for value, hexa in [
            (2**31, "fc0000008000000000"),
            (2**62, "fc0000000000000040"),
            (2**63 - 1, "fcffffffffffffff7f"),
            (-(2**63), "fc0000000000000080"),
        ]:
            self.check_same(bin_int64, value, hexa)

    def test_no_int32_and_no_int64(self) -> None:
        """The errors state the range of the type, and an int32 is never written in eight bytes."""
        low, high = -(2**31), 2**31 - 1
        self.check_unwritable(bin_int32, 2**31, f"expected int32 from {low} to {high}, got {2**31}")
        self.check_unwritable(bin_int32, low - 1, f"expected int32 from {low} to {high}, got {low - 1}")
        self.check_unwritable(bin_int32, True, "expected int32, got True")
        self.check_unreadable(bin_int32, "fc" + "00" * 8, "expected int32 at byte 0, found the byte fc", 0)
        low, high = -(2**63), 2**63 - 1
        self.check_unwritable(bin_int64, 2**63, f"expected int64 from {low} to {high}, got {2**63}")
        self.check_unwritable(bin_int64, low - 1, f"expected int64 from {low} to {high}, got {low - 1}")
        self.check_unreadable(bin_int64, "fc00", "expected int64 of 9 bytes at byte 0, found only 2 bytes", 0)

    def test_longer_than_needed(self) -> None:
        """A value that was written longer than needed is read, whatever it is part of."""
        cases: list[tuple[BinType[Any], str, Any]] = [
            (bin_int, "fe0500", 5),
            (bin_int, "fd05000000", 5),
            (bin_int, "fc0500000000000000", 5),
            (bin_int, "feffff", -1),
            (bin_int, "fdffffffff", -1),
            (bin_int, "fcffffffffffffffff", -1),
            (bin_nat0, "fe0000", 0),
            (bin_nat0, "fdffff0000", 65535),
            (bin_nat0, "fc0500000000000000", 5),
            (bin_string, "fc0200000000000000 6869", b"hi"),
            (bin_text, "fd02000000 6869", "hi"),
            (list_of(bin_int), "fe0200 fe0100 02", [1, 2]),
        ]
        for of, hexa, value in cases:
            self.assertEqual(decode(of, hexa), value)

    def test_no_integer(self) -> None:
        """An unknown code, a value outside of its form's range, and too few bytes are refused."""
        self.check_unreadable(bin_int, "", "expected int at byte 0, found the end", 0)
        self.check_unreadable(bin_int, "80", "expected int at byte 0, found the byte 80", 0)
        self.check_unreadable(bin_int, "fb", "expected int at byte 0, found the byte fb", 0)
        self.check_unreadable(bin_int, "fe01", "expected int of 3 bytes at byte 0, found only 2 bytes", 0)
        self.check_unreadable(bin_int, "fc", "expected int of 9 bytes at byte 0, found only 1 byte", 0)
        self.check_unreadable(bin_int, "ff05", "expected int from -128 to -1 after the byte ff at byte 0, found 5", 0)
        for hexa, found in [("fc0000000000000040", 2**62), ("fcffffffffffffffbf", -(2**62) - 1)]:
            message = f"expected int from {MIN_INT} to {MAX_INT} after the byte fc at byte 0, found {found}"
            self.check_unreadable(bin_int, hexa, message, 0)
        message = f"expected nat0 from 0 to {MAX_INT} after the byte fc at byte 0, found {2**63}"
        self.check_unreadable(bin_nat0, "fc0000000000000080", message, 0)
        self.check_unreadable(bin_nat0, "ffff", "expected nat0 at byte 0, found the byte ff", 0)

    def test_integers_that_cannot_be_written(self) -> None:
        """Only integers, of 63 bits, are written as one; a bool is not, a member of an IntEnum is."""
        self.check_unwritable(bin_int, 2**62, f"expected int from {MIN_INT} to {MAX_INT}, got {2**62}")
        self.check_unwritable(bin_int, MIN_INT - 1, f"expected int from {MIN_INT} to {MAX_INT}, got {MIN_INT - 1}")
        self.check_unwritable(bin_nat0, -1, f"expected nat0 from 0 to {MAX_INT}, got -1")
        self.check_unwritable(bin_nat0, 2**62, f"expected nat0 from 0 to {MAX_INT}, got {2**62}")
        self.check_unwritable(bin_int, True, "expected int, got True")
        self.check_unwritable(bin_int, 1.0, "expected int, got 1.0")
        self.check_unwritable(bin_int, "1", "expected int, got '1'")
        self.check_unwritable(bin_int, None, "expected int, got None")
        self.assertEqual(encode(bin_int, enum.IntEnum("Level", "LOW HIGH").HIGH), "02")  # type: ignore[attr-defined]

    def test_a_value_that_cannot_be_shown(self) -> None:
        """An error shows a value without failing on it, however long it is."""
        message = f"expected int from {MIN_INT} to {MAX_INT}, got a value of type int"
        self.check_unwritable(bin_int, 10**5000, message)
        error = self.assertRaises(MarshalingError, bin_prot_codec(bin_int).encode, "x" * 10000)
        self.assertTrue(len(str(error)) < 100)

    @given(st.integers(MIN_INT, MAX_INT))
    def test_any_int(self, value: int) -> None:
        """Every int reads as what was written."""
        self.assertEqual(decode(bin_int, encode(bin_int, value)), value)

    @given(st.integers(0, MAX_INT))
    def test_any_nat0(self, value: int) -> None:
        """Every nat0 reads as what was written."""
        self.assertEqual(decode(bin_nat0, encode(bin_nat0, value)), value)

    @given(st.binary(min_size=8, max_size=8))
    def test_float_keeps_all_bits(self, bits: bytes) -> None:
        """A float comes back with all its bits, those of a NaN as well."""
        self.assertEqual(encode(bin_float, decode(bin_float, bits.hex())), bits.hex())

    def test_float(self) -> None:
        """A float is 8 bytes, little-endian; an int is written as one."""
        self.check_same(bin_float, 1.5, "000000000000f83f")
        self.check_same(bin_float, -0.0, "0000000000000080")
        self.check_same(bin_float, -math.inf, "000000000000f0ff")
        self.assertEqual(encode(bin_float, 1), "000000000000f03f")
        self.check_unreadable(bin_float, "00000000000000", "expected float of 8 bytes at byte 0, found only 7 bytes", 0)
        self.check_unreadable(bin_time, "", "expected time of 8 bytes at byte 0, found the end", 0)
        self.check_unwritable(bin_float, "1.0", "expected float, got '1.0'")
        self.check_unwritable(bin_float, True, "expected float, got True")
        self.assertRaises(MarshalingError, bin_prot_codec(bin_time).encode, 10**400)


class SmallTests(_Transcripts):
    """Strings, text, bool, unit, options."""

    def test_string(self) -> None:
        """A string is its length as a nat0 and its bytes, which need not be text."""
        self.check_same(bin_string, b"", "00")
        self.check_same(bin_string, b"\xff\x00", "02ff00")
        for size, head in [(127, "7f"), (128, "fe8000"), (40000, "fe409c"), (65536, "fd00000100")]:
            self.check_same(bin_string, b"b" * size, head + "62" * size)
        self.assertEqual(encode(bin_string, bytearray(b"hi")), "026869")
        self.assertEqual(encode(bin_string, memoryview(b"hi")), "026869")
        self.check_unreadable(bin_string, "0568", "expected string of 5 bytes at byte 1, found only 1 byte", 1)
        self.check_unreadable(
            bin_string, "fcffffffffffffff3f", f"expected string of {MAX_INT} bytes at byte 9, found the end", 9
        )
        self.check_unreadable(bin_string, "80", "expected nat0 at byte 0, found the byte 80", 0)
        self.check_unwritable(bin_string, "hi", "expected string, as bytes, got 'hi'")

    def test_char(self) -> None:
        """A char is one byte, whichever."""
        for byte in (b"\0", b"a", b"\xff"):
            self.check_same(bin_char, byte, byte.hex())
        self.check_unreadable(bin_char, "", "expected char at byte 0, found the end", 0)
        self.check_unwritable(bin_char, b"", "expected char, as bytes of length 1, got b''")
        self.check_unwritable(bin_char, b"ab", "expected char, as bytes of length 1, got b'ab'")
        self.check_unwritable(bin_char, "a", "expected char, as bytes of length 1, got 'a'")

    def test_text(self) -> None:
        """Text is a string that holds UTF-8; the error of other bytes says where they are."""
        self.check_same(bin_text, "é", "02c3a9")
        self.check_unreadable(bin_text, "0361ff62", "expected text in UTF-8 at byte 2, found the byte ff", 2)
        self.check_unwritable(bin_text, b"hi", "expected text, got b'hi'")
        self.check_unwritable(bin_text, "\udcff", r"expected text that UTF-8 can hold, got '\udcff'")

    def test_text_of_any_bytes(self) -> None:
        """Bytes that are not UTF-8 survive where that is asked for; an unknown treatment is an error at once."""
        self.check_same(text("surrogateescape"), "a\udcff", "0261ff")
        self.assertRaises(LookupError, text, "nonsense")
        self.assertRaises(TypeError, text, "xmlcharrefreplace")

    def test_bool_and_unit(self) -> None:
        """A bool is 0 or 1, a unit is 0."""
        self.check_same(bin_bool, False, "00")
        self.check_same(bin_bool, True, "01")
        self.assertIs(decode(bin_bool, "01"), True)
        self.check_same(bin_unit, (), "00")
        self.check_unreadable(bin_bool, "02", "expected bool (a byte up to 01) at byte 0, found the byte 02", 0)
        self.check_unreadable(bin_unit, "", "expected unit at byte 0, found the end", 0)
        self.check_unreadable(bin_unit, "01", "expected unit (a byte up to 00) at byte 0, found the byte 01", 0)
        self.check_unwritable(bin_bool, 1, "expected bool, got 1")
        self.check_unwritable(bin_unit, None, "expected unit, which is (), got None")
        self.check_unwritable(bin_unit, (1,), "expected unit, which is (), got (1,)")

    def test_option(self) -> None:
        """An option is 0, or 1 and the value."""
        self.check_same(option(bin_int), None, "00")
        self.check_same(option(bin_int), 128, "01fe8000")
        self.check_same(option(bin_unit), (), "0100")
        self.check_unreadable(
            option(bin_int), "02", "expected option of int (a byte up to 01) at byte 0, found the byte 02", 0
        )
        self.check_unreadable(option(bin_int), "01", "expected int at byte 1, found the end", 1)
        error = self.assertRaises(TypeError, option, option(bin_int))
        self.assertIn("describe the inner option as a variant", str(error))

    def test_option_that_hides_another(self) -> None:
        """A Some None is not read where it would be written as None; described as a variant, it is kept."""
        hidden: BinType[Any] = option(bin_int)
        hiding = pair(bin_int, option(lazy(lambda: hidden)))
        self.check_same(hiding, (5, None), "05 00")
        self.check_same(hiding, (5, 7), "05 01 01 07")
        message = "[1]: Some None at byte 1 cannot be told from None: describe the inner option as a variant"
        self.check_unreadable(hiding, "05 01 00", message, 1, "[1]")
        described = option(lazy(lambda: variant("None", ("Some", bin_int))))
        self.check_same(described, None, "00")
        self.check_same(described, "None", "01 00")
        self.check_same(described, ("Some", 7), "01 01 07")


class CompoundTests(_Transcripts):
    """Lists, tuples, records."""

    def test_list(self) -> None:
        """A list is its count as a nat0 and its values; an array is the same."""
        self.check_same(list_of(bin_int), [], "00")
        self.check_same(array_of(bin_int), [1, -1], "02 01 ffff")
        self.check_same(list_of(bin_unit), [()] * 40000, "fe409c" + "00" * 40000)
        self.assertEqual(encode(list_of(bin_int), (1, 2)), "020102")
        self.check_unwritable(list_of(bin_int), b"12", "expected list of int, got b'12'")
        self.check_unwritable(list_of(bin_int), [1, "2"], "[1]: expected int, got '2'", "[1]")
        self.assertRaises(ValueError, list_of, record(Heartbeat))

    def test_count_of_more_than_there_is(self) -> None:
        """A count of more values than the rest can hold is refused before one is read."""
        self.check_unreadable(
            list_of(bin_unit),
            "030000",
            "expected list of unit with 3 values at byte 0, found 2 bytes after the count",
            0,
        )
        self.check_unreadable(
            list_of(HEADER),
            "02" + "00" * 17,
            "expected list of Header with 2 values at byte 0, found 17 bytes after the count",
            0,
        )
        self.assertRaises(ParseError, decode, list_of(TREE), "fcffffffffffffff3f 00")

    def test_tuples(self) -> None:
        """A tuple is its parts in order, with nothing between."""
        self.check_same(pair(bin_int, bin_string), (1, b"a"), "010161")
        self.check_same(tuple_of(bin_int, bin_bool, bin_unit), (1, True, ()), "010100")
        self.check_unreadable(
            pair(bin_int, bin_bool),
            "0102",
            "[1]: expected bool (a byte up to 01) at byte 1, found the byte 02",
            1,
            "[1]",
        )
        self.check_unwritable(pair(bin_int, bin_int), (1, 2, 3), "expected tuple of 2, got (1, 2, 3)")
        self.check_unwritable(pair(bin_int, bin_int), [1, 2], "expected tuple of 2, got [1, 2]")
        self.check_unwritable(pair(bin_int, bin_int), (1, None), "[1]: expected int, got None", "[1]")

    def test_records(self) -> None:
        """A record is an instance of any class that is called by keyword: a dataclass, a named tuple, others."""
        self.check_same(BODY, Body(1, b"x"), "01 01 78")
        self.check_same(record(Tree, value=bin_int, children=list_of(bin_int)), Tree(1, [2]), "01 01 02")
        self.check_same(record(SimpleNamespace, a=bin_int, cls=bin_int), SimpleNamespace(a=1, cls=2), "01 02")
        self.check_unwritable(BODY, {"seq": 1, "body": b""}, "expected Body, got {'body': b'', 'seq': 1}")
        self.check_unwritable(BODY, Body(1, "x"), "body: expected string, as bytes, got 'x'", "body")  # type: ignore[arg-type]
        self.check_unwritable(
            record(SimpleNamespace, a=bin_int),
            SimpleNamespace(b=1),
            "a: 'types.SimpleNamespace' object has no attribute 'a'",
            "a",
        )

    def test_init_that_does_something(self) -> None:
        """A dataclass whose ``__init__`` only assigns its fields isn't called; of any other, no method is left out."""
        cls: Any
        for cls in (Frozen, Checked, Counted, Shown, ByKeyword, Own, Made, Guarded, Measured, Deleted, Called):
            of = record(cls, at=bin_int)
            read, made = decode(of, "07"), cls(at=7)
            self.assertEqual((type(read), read.at), (cls, 7))
            self.assertEqual(getattr(read, "__dict__", None), getattr(made, "__dict__", None))
            self.assertEqual(encode(of, read), "07")
            self.check_unreadable(of, "80", "at: expected int at byte 0, found the byte 80", 0, "at")

    @skipIf(msgspec is None, "msgspec is not installed")
    def test_record_of_msgspec(self) -> None:
        """A record is an instance of a msgspec struct as well."""
        quote_class = msgspec.defstruct("Quote", [("seq", int), ("body", bytes)])
        quote = record(quote_class, seq=bin_int, body=bin_string)
        self.check_same(quote, quote_class(seq=1, body=b"x"), "01 01 78")
        self.assertRaises(TypeError, record, quote_class, sequence=bin_int, body=bin_string)

    def test_fields_that_do_not_fit_the_class(self) -> None:
        """A field that the class does not know, or one that it misses, is an error when the type is described."""
        self.assertRaises(TypeError, record, Body, seq=bin_int, boddy=bin_string)
        self.assertRaises(TypeError, record, Body, seq=bin_int)

    def test_parts_that_are_no_types(self) -> None:
        """Something else than a bin_prot type is refused where it is given; the error says what is expected."""
        expected = "must be a bin_prot type such as bin_int, not"
        made: Callable[[], Any]
        wrong: Any = bin_prot_codec(bin_int)
        no_type: Any = int
        for made, told in [
            (lambda: record(Body, seq=bin_int, body=no_type), f"body {expected} <class 'int'>"),
            (lambda: list_of(no_type), f"list_of {expected} <class 'int'>"),
            (lambda: option(no_type), f"option {expected} <class 'int'>"),
            (lambda: pair(bin_int, no_type), f"[1] {expected} <class 'int'>"),
            (lambda: tuple_of(no_type), f"[0] {expected} <class 'int'>"),
            (lambda: variant("A", ("B", bin_int, no_type)), f"B[1] {expected} <class 'int'>"),
            (lambda: bin_prot_codec(no_type), f"bin_prot_codec {expected} <class 'int'>"),
            (lambda: list_of(wrong), f"list_of {expected} {wrong!r}: give the type that the codec was made of"),
            (lambda: list_of(text), f"list_of {expected} {text!r}: call it"),  # type: ignore[arg-type]
        ]:
            self.assertEqual(str(self.assertRaises(TypeError, made)), told)

    def test_recursive_type_without_a_function(self) -> None:
        """A recursive type is given by a function, which has to give a type."""
        given: Any = bin_int
        error = self.assertRaises(TypeError, lazy, given)
        self.assertIn("as in lazy(lambda: tree), not <bin_prot type: int>", str(error))
        given = int
        codec: Any = bin_prot_codec(list_of(lazy(given)))
        self.assertEqual(codec.decode(b"\0"), [])
        error = self.assertRaises(TypeError, codec.decode, b"\1\0")
        self.assertEqual(str(error), "lazy must be a bin_prot type such as bin_int, not 0")

    def test_values_that_the_class_refuses(self) -> None:
        """A class that raises on what was read makes that payload an error, with the cause."""

        @dataclass
        class Even:
            number: int

            def __post_init__(self) -> None:
                if self.number % 2:
                    raise ValueError("odd")

        numbers = list_of(record(Even, number=bin_int))
        error = self.check_unreadable(
            numbers, "02 02 03", "[1]: expected Even at byte 2, found values that it refuses: odd", 2, "[1]"
        )
        self.assertIsInstance(error.__cause__, ValueError)

    def test_path(self) -> None:
        """An error names the field by its whole path."""
        orders = record(SimpleNamespace, order=ORDER)
        legs = [Leg(Mode.TEST, 1.0, "a note"), Leg(Mode.PRODUCTION, 2.0, "note")]
        value = SimpleNamespace(order=Order(1, legs, [(b"a", True)]))
        data = bin_prot_codec(orders).encode(value)
        self.assertEqual(bin_prot_codec(orders).decode(data), value)
        self.check_unreadable(
            orders,
            data[:25].hex(),
            "order.legs[1].price: expected float of 8 bytes at byte 20, found only 5 bytes",
            20,
            "order.legs[1].price",
        )
        self.check_unreadable(
            orders,
            data[:-1].hex() + "05",
            "order.tags[0][1]: expected bool (a byte up to 01) at byte 37, found the byte 05",
            37,
            "order.tags[0][1]",
        )
        legs[1].price = None  # type: ignore[assignment]
        self.check_unwritable(orders, value, "order.legs[1].price: expected float, got None", "order.legs[1].price")
        legs[1].price = 1.0
        value.order.tags.append((b"a", 2))
        self.check_unwritable(orders, value, "order.tags[1][1]: expected bool, got 2", "order.tags[1][1]")


class VariantTests(_Transcripts):
    """Variants and enumerations."""

    def test_each_form_of_constructor(self) -> None:
        """A constructor is a constant, a record, or a tuple of a name and its arguments."""
        for value, hexa in [
            (Order(1, []), "00 01 00 00"),
            (("Rename", "a", "b"), "01 0161 0162"),
            ("Ping", "02"),
            (Heartbeat(), "03"),
            (Cancel(65535), "04 feffff"),
            (("Tree", Tree(1, [Tree(-1, [])])), "05 01 01 ffff 00"),
            ((Mode.TEST, ()), "06 00"),
            (Mode.PRODUCTION, "07"),
        ]:
            self.check_same(MESSAGE, value, hexa)

    def test_subclass(self) -> None:
        """An instance of a subclass is written as the record of its base."""

        class UrgentCancel(Cancel):
            pass

        self.assertEqual(encode(MESSAGE, UrgentCancel(1)), "0401")

    def test_enumeration(self) -> None:
        """The members of an enum stand for constants, in their order."""
        self.check_same(enumeration(Mode), Mode.TEST, "00")
        self.check_same(enumeration(Mode), Mode.PRODUCTION, "01")
        self.check_unreadable(
            enumeration(Mode), "02", "expected a constructor of Mode (a byte up to 01) at byte 0, found the byte 02", 0
        )
        self.check_unwritable(enumeration(Mode), "test", "expected a value of Mode, got 'test'")

    def test_enumeration_of_something_else(self) -> None:
        """Something else than an enum is refused, and so is an enum whose members are not all constructors."""
        given: Any
        for given in (["a"], "ab", int, Mode.TEST):
            error = self.assertRaises(TypeError, enumeration, given)
            self.assertEqual(str(error), f"enumeration takes a subclass of enum.Enum, not {given!r}")
        for given in (Doubled, United):
            error = self.assertRaises(ValueError, enumeration, given)
            told = f"{given.__name__}.B must have a value of its own, not that of other members"
            self.assertEqual(str(error), told)

    def test_width_of_the_index(self) -> None:
        """Up to 256 constructors the index is one byte, above that two, little-endian."""
        names = [f"C{number}" for number in range(257)]
        self.check_same(variant(*names[:256]), "C255", "ff")
        wide = variant(*names)
        self.check_same(wide, "C0", "0000")
        self.check_same(wide, "C255", "ff00")
        self.check_same(wide, "C256", "0001")
        self.check_unreadable(wide, "0101", "expected a constructor of variant (up to 256) at byte 0, found 257", 0)
        self.check_unreadable(wide, "00", "expected a constructor of variant, 2 bytes at byte 0, found only 1 byte", 0)
        self.check_same(WIDE, ("Last", ("Rename", "", "")), "2c01 01 00 00")
        self.assertEqual(variant(*range(65536)).least, 2)
        self.assertRaises(ValueError, variant, *range(65537))

    def test_errors_inside(self) -> None:
        """An error in an argument names the constructor and which of its arguments."""
        self.check_unreadable(
            MESSAGE, "01 0161 02", "Rename[1]: expected string of 2 bytes at byte 4, found the end", 4, "Rename[1]"
        )
        self.check_unreadable(
            MESSAGE, "06 01", "TEST[0]: expected unit (a byte up to 00) at byte 1, found the byte 01", 1, "TEST[0]"
        )
        self.check_unreadable(MESSAGE, "04", "id: expected nat0 at byte 1, found the end", 1, "id")
        self.check_unreadable(
            MESSAGE, "08", "expected a constructor of Message (a byte up to 07) at byte 0, found the byte 08", 0
        )
        self.check_unwritable(
            MESSAGE, ("Tree", Tree(1, [None])), "Tree[0].children[0]: expected Tree, got None", "Tree[0].children[0]"
        )

    def test_values_of_no_constructor(self) -> None:
        """A value of no constructor is refused, also when it looks like one."""
        value: Any
        for value in (None, "Pong", b"Ping", [1], {}, Header(1.0, 1), Mode, ("Pong", 1), (), ([],), 7):
            error = self.assertRaises(MarshalingError, bin_prot_codec(MESSAGE).encode, value)
            self.assertTrue(str(error).startswith("expected a value of Message, got "), str(error))
        self.check_unwritable(MESSAGE, "Rename", "expected Rename in a tuple with its arguments, got 'Rename'")
        self.check_unwritable(MESSAGE, ("Rename", "a"), "Rename: expected tuple of 2, got ('a',)", "Rename")
        self.check_unwritable(MESSAGE, ("Ping",), "expected 'Ping', got ('Ping',)")
        self.assertRaises(MarshalingError, encode, MESSAGE, Cancel)

    def test_constructors_that_are_none(self) -> None:
        """A variant with a wrong constructor, or with one twice, is refused when it is described."""
        codec = bin_prot_codec(bin_int)
        for bad in (bin_int, Cancel, None, (), (bin_int, bin_int), (Cancel, bin_int), enumeration(Mode), [1], codec):
            error = self.assertRaises(TypeError, variant, "A", bad)
            told = f"a constructor must be a constant, a record, or a tuple of a name and types, not {bad!r}"
            self.assertEqual(str(error), told)
        self.assertRaises(ValueError, variant)
        self.assertRaises(ValueError, variant, "A", "B", "A")
        self.assertRaises(ValueError, variant, "A", ("A", bin_int))
        self.assertRaises(ValueError, variant, record(Cancel, id=bin_int), record(Cancel, id=bin_nat0))


# -- hostile bytes ------------------------------------------------------------------------------------------


def chain(depth: int, end: bytes = b"\x00") -> bytes:
    """The bytes of trees nested that deep below the first."""
    return b"\x01\x01" * depth + b"\x01" + end


class DepthTests(_Transcripts):
    """Recursive types."""

    def test_up_to_the_limit(self) -> None:
        """Values nested as deep as the limit are read and written; one level more is refused, and named."""
        codec = bin_prot_codec(TREE, max_depth=3)
        value = codec.decode(chain(3))
        self.assertEqual(codec.encode(value), chain(3))
        path = "children[0]." * 3 + "children[0]"
        self.check_unreadable(
            TREE, chain(4).hex(), f"{path}: nested deeper than allowed at byte 8", 8, path, max_depth=3
        )
        self.check_unwritable(TREE, Tree(1, [value]), f"{path}: nested deeper than allowed", path, max_depth=3)

    def test_default_limit(self) -> None:
        """100 levels go through by default, a thousand do not."""
        codec = bin_prot_codec(TREE)
        self.assertEqual(codec.encode(codec.decode(chain(100))), chain(100))
        self.assertRaises(ParseError, codec.decode, chain(1000))

    def test_deeper_than_python_goes(self) -> None:
        """Where the limit is above what Python's stack holds, that ends in the same errors, which say where."""
        codec = bin_prot_codec(TREE, max_depth=10**9)
        error = self.assertRaises(ParseError, codec.decode, chain(100_000))
        levels = (error.offset or 0) // 2
        self.assertTrue(100 < levels < 100_000)
        path = ".".join(["children[0]"] * levels)
        told = f"{path}: nested deeper than Python can read at byte {2 * levels}"
        self.assertEqual((str(error), error.offset, error.field), (told, 2 * levels, path))
        endless = Tree(1, [])
        endless.children.append(endless)
        error = self.assertRaises(MarshalingError, codec.encode, endless)
        self.assertRegex(str(error), r"^(children\[0\]\.)+children\[0\]: nested deeper than Python can write$")
        self.assertTrue(str(error).startswith(f"{error.field}: nested"))
        self.assertRaises(MarshalingError, bin_prot_codec(TREE).encode, endless)

    def test_most_values_inside_each_other(self) -> None:
        """Not more than 1200 values lie inside each other, of which a tree has three for each level."""
        self.addCleanup(sys.setrecursionlimit, sys.getrecursionlimit())
        sys.setrecursionlimit(20_000)  # so that interpreted code comes that far
        codec = bin_prot_codec(TREE, max_depth=10**9)
        deepest = codec.decode(chain(399))
        self.assertEqual(codec.encode(deepest), chain(399))
        self.assertRaises(ParseError, codec.decode, chain(400))
        self.assertRaises(MarshalingError, codec.encode, Tree(1, [deepest]))

    def test_type_of_ones_own_without_an_end(self) -> None:
        """A recursive type of one's own, which counts no levels, ends in the same errors."""

        def read(data: bytes, at: int, levels: int) -> Any:
            return read(data, at, levels)

        def write(out: bytearray, value: Any, levels: int) -> None:
            write(out, value, levels)

        endless = BinType("endless", 1, read, write)
        self.check_unreadable(endless, "00", "nested deeper than can be read", None)
        self.check_unwritable(endless, 0, "nested deeper than can be written")

    def test_type_that_is_nothing_but_itself(self) -> None:
        """A type without an end ends in the same errors."""
        nothing: BinType[Any] = lazy(lambda: nothing)
        self.assertRaises(ParseError, decode, nothing, "00")
        self.assertRaises(MarshalingError, encode, nothing, 0)


class HostileTests(SynchronousTestCase):
    """Bytes of a stranger."""

    def check_hostile(self, of: BinType[Any], data: bytes) -> None:
        """Bytes are either a value, which then writes to bytes that read as the same, or a ParseError."""
        codec = bin_prot_codec(of)
        try:
            value = codec.decode(data)
        except ParseError as error:
            self.assertIn(error.offset, range(len(data) + 1))
            self.assertTrue(error.field is None or str(error).startswith(error.field + ": "), str(error))
            return
        written = codec.encode(value)
        self.assertTrue(len(written) <= len(data))
        self.assertEqual(codec.encode(codec.decode(written)), written)

    @settings(max_examples=examples(3000))
    @given(st.sampled_from(sorted(TYPES)), st.binary(max_size=64))
    def test_any_bytes(self, name: str, data: bytes) -> None:
        """Arbitrary bytes against any type end in a value or a ParseError, and in nothing else."""
        self.check_hostile(TYPES[name], data)

    @settings(max_examples=examples(3000))
    @given(
        st.sampled_from(sorted(TYPES)),
        st.lists(
            st.sampled_from([b"\x00", b"\x01", b"\x02", b"\x05", b"\xfc", b"\xfd", b"\xfe", b"\xff", b"\x01\x01" * 150])
        ),
    )
    def test_likely_bytes(self, name: str, parts: list[bytes]) -> None:
        """The same for bytes that are more likely to mean something."""
        self.check_hostile(TYPES[name], b"".join(parts))

    @given(st.sampled_from(sorted(TYPES)), st.binary(max_size=24), st.integers(0, 30) | st.just(sys.maxsize))
    def test_any_offset(self, name: str, data: bytes, at: int) -> None:
        """A reader that a type of one's own calls reads from any offset, and never after the data."""
        try:
            _, end = TYPES[name].read(data, at, 9)
        except ParseError as error:
            self.assertTrue(error.offset is not None and error.offset >= at)
        else:
            self.assertTrue(at <= end <= len(data))

    def test_no_offset(self) -> None:
        """A negative offset, and one that no data has, is refused."""
        for at in (-1, -(2**70), sys.maxsize + 1, 2**70):
            for of in TYPES.values():
                error = self.assertRaises(ValueError, of.read, b"\0" * 99, at, 9)
                self.assertEqual(str(error), f"the offset of a value must be from 0 to {sys.maxsize}, not {at}")

    def test_cut_anywhere(self) -> None:
        """A message that is cut off anywhere, or has a byte more, is refused."""
        message = Order(300, [Leg(Mode.TEST, 1.5, "é" * 100), Leg(Mode.PRODUCTION, 2.5)], [(b"t" * 200, False)])
        codec = bin_prot_codec(MESSAGE)
        data = codec.encode(message)
        self.assertEqual(codec.decode(data), message)
        for size in range(len(data)):
            error = self.assertRaises(ParseError, codec.decode, data[:size])
            self.assertTrue(error.offset is not None and error.offset <= size)
        error = self.assertRaises(ParseError, codec.decode, data + b"\x00")
        self.assertEqual(error.offset, len(data))
        self.assertIn("1 byte left over", str(error))

    def test_memory(self) -> None:
        """A length or count that the payload does not hold costs no memory."""
        huge = bytes.fromhex("fcffffffffffff0000")
        for name in ("text", "units", "lists", "tuple", "message"):
            for data in (huge, b"\x01" + huge, b"\x00\x01" + huge, huge + b"\x01" * 64):
                self.assertTrue(_peak_memory(partial(self.check_hostile, TYPES[name], data)) < 200_000)


def _peak_memory(call: Callable[[], None]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class CodecTests(_Transcripts):
    """The codec of a type."""

    def test_interface(self) -> None:
        """It is an ICodec."""
        self.assertTrue(verifyObject(ICodec, bin_prot_codec(bin_int)))

    def test_bytes_left_over(self) -> None:
        """A payload with bytes left over is refused at the first of them."""
        self.check_unreadable(bin_int, "0102", "expected the end at byte 1, found 1 byte left over", 1)
        self.check_unreadable(BODY, "01 00 00 00", "expected the end at byte 2, found 2 bytes left over", 2)

    def test_type_of_ones_own(self) -> None:
        """A type of one's own is described by its name, its least size, a reader and a writer."""

        def read_latin(data: bytes, at: int, levels: int) -> tuple[str, int]:
            if at >= len(data):
                raise ParseError("expected a letter", offset=at)
            return chr(data[at]), at + 1

        def write_latin(out: bytearray, value: str, levels: int) -> None:
            out += value.encode("latin-1")

        letter = BinType("letter", 1, read_latin, write_latin)
        self.check_same(list_of(letter), ["a", "b"], "026162")
        self.check_unreadable(pair(letter, letter), "61", "[1]: expected a letter", 1, "[1]")
        self.assertEqual(repr(letter), "<bin_prot type: letter>")

    def test_type_of_ones_own_that_calls_others(self) -> None:
        """The readers and writers of types can be called by those of one's own."""

        def read(data: bytes, at: int, levels: int) -> tuple[int, int]:
            return bin_int.read(data, at + 2, levels)

        def write(out: bytearray, value: int, levels: int) -> None:
            out += b"--"
            bin_int.write(out, value, levels)

        self.check_same(list_of(BinType("padded", 3, read, write)), [5, 300], "02 2d2d05 2d2dfe2c01")
        self.check_unreadable(BinType("padded", 0, read, write), "", "expected int at byte 2, found the end", 2)

    def test_reader_with_a_wrong_end(self) -> None:
        """A reader of one's own that goes past the end finds the message cut short; one that goes back is in error."""

        def to(end: Any) -> BinType[Any]:
            return BinType("letter", 1, lambda data, at, levels: (None, end), bin_unit.write)

        told = "[1]: expected letter of 3 bytes at byte 1, found only 1 byte"
        self.check_unreadable(pair(bin_unit, to(4)), "0000", told, 1, "[1]")
        for end in (0, -1):
            error = self.assertRaises(ValueError, decode, pair(bin_unit, to(end)), "0000")
            self.assertEqual(str(error), f"the reader of letter must not go back from 1 to {end}")
        self.assertRaises(TypeError, decode, to("1"), "00")

    def test_list_that_is_changed_meanwhile(self) -> None:
        """A list is written as it was, whatever is done to it by those who write its values."""
        values = [1, 2, 3]

        def write(out: bytearray, value: int, levels: int) -> None:
            values.clear()
            bin_int.write(out, value, levels)

        self.assertEqual(encode(list_of(BinType("int", 1, bin_int.read, write)), values), "03010203")

    def test_payload_that_is_not_bytes(self) -> None:
        """Whatever has bytes can be decoded."""
        codec = bin_prot_codec(BODY)
        for kind in (bytearray, memoryview, type("Bytes", (bytes,), {})):
            self.assertEqual(codec.decode(kind(b"\1\1x")), Body(1, b"x"))
        self.assertRaises(TypeError, codec.decode, 3)

    def test_limits_of_depth(self) -> None:
        """Any number is a limit."""
        for depth in (10**30, -(10**30)):
            codec = bin_prot_codec(list_of(TREE), max_depth=depth)
            self.assertEqual(codec.decode(b"\1\1\0"), [Tree(1, [])])
        self.assertRaises(ParseError, codec.decode, b"\1" + chain(1))
