"""Every framing and codec of the package keeps what a repeater relies on."""

from __future__ import annotations

import struct
from functools import partial
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import StringValue
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Limits, dialects
from twisted_repeater.codecs import RawCodec
from twisted_repeater.codecs.bin_prot import (
    bin_float,
    bin_int,
    bin_prot_codec,
    list_of,
    option,
    pair,
    record,
    text,
    variant,
)
from twisted_repeater.codecs.protobuf import protobuf
from twisted_repeater.framings.async_extra import AsyncExtraFraming, AsyncExtraHelloFraming
from twisted_repeater.framings.base import CheckedFraming
from twisted_repeater.framings.delimited import DelimitedFraming
from twisted_repeater.framings.length import Int32Framing, LengthFraming
from twisted_repeater.framings.varint import VarintFraming
from twisted_repeater.model import Hello
from twisted_repeater.testing import ConformanceError, check_codec, check_framing
from twisted_repeater.testing.conformance._conformance import Tried, positions, start_of, told

from ...peers import handshake_of
from .plain_framing import PlainFraming


def of_limits(make: Any, limits: Limits, **more: Any) -> Any:
    """Make a framing of these limits."""
    return make(limits.max_frame, **more)


class FramingsTests(SynchronousTestCase):
    """The framings."""

    def test_int32(self) -> None:
        """`Int32Framing`, made by its dialect and at its own limit."""
        check_framing(lambda limits: dialects.int32().framings(limits).to_server)
        check_framing(Int32Framing(Limits().max_frame))

    def test_stamped(self) -> None:
        """`AsyncExtraFraming`, by its dialect; with bodies of each way to write a length."""
        stamped = dialects.async_extra(clock=lambda: 1.5)
        check_framing(lambda limits: stamped.framings(limits).to_server, [b"", b"x" * 127, b"x" * 128, b"x" * 40_000])
        check_framing(AsyncExtraFraming(1000, lambda: -1.0))

    def test_int64(self) -> None:
        """`AsyncExtraHelloFraming`, which frames hellos."""
        check_framing(lambda limits: AsyncExtraHelloFraming(limits.max_frame))

    def test_handshakes(self) -> None:
        """The framings of the handshakes."""
        for dialect in (dialects.int32(), dialects.async_extra()):
            check_framing(handshake_of(dialect).framing)

    def test_length(self) -> None:
        """`LengthFraming`, with a length alone, and with a header that filters see."""
        for size in (1, 2, 3, 4, 8):
            check_framing(partial(of_limits, LengthFraming, size=size))
        check_framing(partial(of_limits, LengthFraming, size=2, order="little", adds=-2))

        def grow(size: int) -> bytes:
            return b"Q" + struct.pack(">I", size) + b"." * (size - 4)

        postgres = partial(of_limits, LengthFraming, size=4, at=1, adds=-4, whole=True)
        check_framing(postgres, [grow(4), grow(5), grow(700)], grow=grow)

    def test_varint(self) -> None:
        """`VarintFraming`, with a length alone, and with a header that filters see."""
        check_framing(partial(of_limits, VarintFraming))
        check_framing(partial(of_limits, VarintFraming, max_bytes=2))

        def grow(size: int) -> bytes:
            return b"\x30" + VarintFraming(size).encode(b"." * size)

        mqtt = partial(of_limits, VarintFraming, at=1, whole=True)
        check_framing(mqtt, [grow(0), grow(127), grow(128), grow(700)], grow=grow)

    def test_delimited(self) -> None:
        """`DelimitedFraming`, with one mark or two, and with marks that filters see."""
        check_framing(partial(of_limits, DelimitedFraming, end=b"\n"), [b"", b"a", b"\r" * 30])
        check_framing(partial(of_limits, DelimitedFraming, end=b"\r\n"), [b"", b"a", b"\r", b"\n", b"ab" * 30])

        def grow(size: int) -> bytes:
            return b"\x0b" + b"." * size + b"\x1c\r"

        mllp = partial(of_limits, DelimitedFraming, end=b"\x1c\r", start=b"\x0b")
        check_framing(mllp, [b"", b"a", b"\r\n" * 30])
        check_framing(partial(mllp, whole=True), [grow(0), grow(1), grow(200)], grow=grow)

    def test_foreign(self) -> None:
        """A framing that is written in Python, as it is and in the adapter that a lane uses."""
        check_framing(PlainFraming)
        check_framing(lambda limits: CheckedFraming(PlainFraming(limits)))


class CodecsTests(SynchronousTestCase):
    """The codecs."""

    def test_raw(self) -> None:
        """`RawCodec`."""
        check_codec(RawCodec(), [b"", b"hello"], grow=lambda size: b"x" * size)

    def test_protobuf(self) -> None:
        """Messages of Protocol Buffers, of which any number joined are one."""
        codec = protobuf(Timestamp)
        for messages in ([Timestamp(seconds=3, nanos=1)], [Timestamp(seconds=3), Timestamp(nanos=4), Timestamp()]):
            check_codec(codec, messages)
        check_codec(protobuf(StringValue), [StringValue(value="a"), StringValue(value="b")])

    def test_bin_prot(self) -> None:
        """Codecs of bin_prot."""
        hello = record(
            Hello, name=text(), mode=variant("A", "B"), send_version=bin_int, recv_version=bin_int, credentials=text()
        )
        check_codec(bin_prot_codec(hello), [Hello("alice", "A"), Hello("", "B", -1, 1 << 40, "x" * 300)])
        many: Any = bin_prot_codec(list_of(option(pair(bin_int, bin_float))))
        check_codec(many, [[], [None, (1, 2.5)]], grow=lambda size: [(1, 2.5)] * size)


class SharedTests(SynchronousTestCase):
    """What the checks share."""

    def test_tried(self) -> None:
        """What is tried is named in a complaint, and must encode to bytes."""

        class Printing(RawCodec):
            def encode(self, message: Any) -> Any:
                return super().encode(message) if message else "?"

        tried = Tried(Printing())
        self.assertEqual(tried.encoded(b"abc", "three letters"), b"abc")
        for value, complaint in (
            ("abc", "Printing: encode raised MarshalingError: .* for three letters"),
            (b"", "Printing: encode must return bytes, not str, for three letters"),
        ):
            self.assertRegex(str(self.assertRaises(ConformanceError, tried.encoded, value, "three letters")), complaint)

    def test_attempt(self) -> None:
        """A call may raise one error, and no other."""

        def attempt(size: object, allowed: type[Exception]) -> list[bytes]:
            return Tried(RawCodec()).attempt("bytes", bytes, allowed, "a size", size)

        self.assertEqual((attempt(1, ValueError), attempt(-1, ValueError)), ([b"\0"], []))
        error = self.assertRaises(ConformanceError, attempt, -1, TypeError)
        self.assertRegex(str(error), "RawCodec: bytes raised ValueError: .*, not TypeError, for a size")

    def test_positions(self) -> None:
        """Short data is cut everywhere, long data near its ends and here and there."""
        self.assertEqual(list(positions(5)), [0, 1, 2, 3, 4])
        cuts = list(positions(1_000_000))
        self.assertEqual((cuts[:3], cuts[-2:]), ([0, 1, 2], [999_998, 999_999]))
        self.assertEqual(cuts, sorted(set(cuts)))
        self.assertLess(len(cuts), 4000)

    def test_printing(self) -> None:
        """Bytes and errors are printed short."""
        self.assertEqual((start_of(b"abc"), start_of(b"abc", 2)), ("b'abc'", "b'ab'..."))
        self.assertEqual(told(KeyError("x")), "KeyError: 'x'")

    def test_an_assertion(self) -> None:
        """What fails a check is an assertion, for whatever runs the tests."""
        self.assertTrue(issubclass(ConformanceError, AssertionError))
