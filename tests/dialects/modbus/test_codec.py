"""The codecs."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import MarshalingError
from twisted_repeater.dialects.modbus import (
    ExceptionResponse,
    Raw,
    ReadHoldingRegistersResponse,
    RequestCodec,
    ResponseCodec,
    WriteCoils,
    WriteRegister,
)
from twisted_repeater.testing import check_codec

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
        requests, responses = RequestCodec(), ResponseCodec()
        for codec, kind, wanted in (
            (requests, WriteRegister, {6}),
            (requests, Raw, set(range(256)) - {1, 2, 3, 4, 5, 6, 15, 16, 22, 23}),
            (responses, ReadHoldingRegistersResponse, {3}),
            (responses, ExceptionResponse, set(range(128, 256))),
            (responses, Raw, set(range(128)) - {1, 2, 3, 4, 23}),
        ):
            selector = codec.selector_for((kind,))
            assert selector is not None
            found = {number for number in range(256) if selector.matches(bytes((*bytes(7), number)), 0, 8)}
            self.assertEqual(found, wanted)
        self.assertIsNone(requests.selector_for(requests.message_types))
