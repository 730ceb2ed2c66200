"""The codecs."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import MarshalingError
from twisted_repeater.dialects.modbus import (
    ExceptionResponse,
    Raw,
    ReadCoils,
    ReadDiscreteInputs,
    ReadHoldingRegisters,
    ReadHoldingRegistersResponse,
    ReadInputRegisters,
    RequestCodec,
    ResponseCodec,
    WriteCoil,
    WriteCoils,
    WriteRegister,
)
from twisted_repeater.testing import check_codec

from .frames import frame
from .test_wire import REQUESTS, RESPONSES


class CodecTests(SynchronousTestCase):
    """Both codecs."""

    def test_conformance(self) -> None:
        """They keep the rules for codecs."""
        check_codec(RequestCodec(), [message for message, _ in REQUESTS])
        check_codec(ResponseCodec(), [message for message, _ in RESPONSES])
        check_codec(RequestCodec(), [Raw(99, b"")], grow=lambda size: WriteCoils(0, (True,) * (size // 3)))

    def test_classes(self) -> None:
        """Each knows the classes of its messages, and refuses others."""
        for codec, cases in ((RequestCodec(), REQUESTS), (ResponseCodec(), RESPONSES)):
            self.assertEqual(set(codec.message_types), {type(message) for message, _ in cases})
        self.assertRaises(MarshalingError, RequestCodec().encode, ExceptionResponse(3, 2))
        self.assertRaises(MarshalingError, ResponseCodec().encode, WriteRegister(1, 2))
        self.assertRaises(MarshalingError, ResponseCodec().encode, b"bytes")

    def test_selectors(self) -> None:
        """Each class is recognized by the function, without decoding."""
        codec = ResponseCodec()
        for kind, wanted in (
            (ReadHoldingRegistersResponse, {3}),
            (ExceptionResponse, set(range(128, 256))),
            (Raw, set(range(128)) - {1, 2, 3, 4, 23}),
        ):
            selector = codec.selector_for((kind,))
            assert selector is not None
            found = {number for number in range(256) if selector.matches(bytes((*bytes(7), number)), 0, 8)}
            self.assertEqual(found, wanted)
        self.assertIsNone(codec.selector_for(codec.message_types))

    def test_selectors_of_requests(self) -> None:
        """Of others, those are not decoded that have always the same length, and have it."""
        codec = RequestCodec()
        for kind, others in ((WriteRegister, {1, 2, 3, 4, 5}), (Raw, {1, 2, 3, 4, 5, 6})):
            selector = codec.selector_for((kind,))
            assert selector is not None
            for size in (2, 3, 4, 5, 12, 200):
                frames = [frame(number, bytes(size)) for number in range(256)]
                found = {number for number in range(256) if not selector.matches(frames[number], 0, size + 8)}
                self.assertEqual(found, others if size == 4 else set())
        self.assertIsNone(codec.selector_for(codec.message_types))
        self.assertIsNone(
            codec.selector_for(
                (ReadCoils, ReadDiscreteInputs, ReadHoldingRegisters, ReadInputRegisters, WriteCoil, WriteRegister)
            )
        )
