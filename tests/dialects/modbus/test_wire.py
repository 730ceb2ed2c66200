"""Requests and responses as bytes."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import MarshalingError
from twisted_repeater.dialects.modbus import (
    ExceptionResponse,
    MalformedMessage,
    MaskWriteRegister,
    Raw,
    ReadCoils,
    ReadCoilsResponse,
    ReadDiscreteInputs,
    ReadDiscreteInputsResponse,
    ReadHoldingRegisters,
    ReadHoldingRegistersResponse,
    ReadInputRegisters,
    ReadInputRegistersResponse,
    ReadWriteRegisters,
    ReadWriteRegistersResponse,
    Request,
    Response,
    WriteCoil,
    WriteCoils,
    WriteRegister,
    WriteRegisters,
)
from twisted_repeater.dialects.modbus.wire import decode_request, decode_response, encode

from .frames import frame

NINE = (True, False, False, False, False, False, False, True, True)
REQUESTS: list[tuple[Request, bytes]] = [
    (ReadCoils(0x102, 3), frame(1, b"\1\2\0\3")),
    (ReadDiscreteInputs(0, 0), frame(2, b"\0\0\0\0")),
    (ReadHoldingRegisters(0xFFFF, 0xFFFF, unit=255, transaction=65535), b"\xff\xff\0\0\0\6\xff\3\xff\xff\xff\xff"),
    (ReadInputRegisters(1, 2, unit=0), frame(4, b"\0\1\0\2", unit=0)),
    (WriteCoil(1, True), frame(5, b"\0\1\xff\0")),
    (WriteCoil(1, False), frame(5, b"\0\1\0\0")),
    (WriteRegister(1, 0xABCD), frame(6, b"\0\1\xab\xcd")),
    (WriteCoils(1, NINE), frame(15, b"\0\1\0\x09\2\x81\1")),
    (WriteCoils(1, ()), frame(15, b"\0\1\0\0\0")),
    (WriteRegisters(1, (2, 3)), frame(16, b"\0\1\0\2\4\0\2\0\3")),
    (MaskWriteRegister(1, 2, 3), frame(22, b"\0\1\0\2\0\3")),
    (ReadWriteRegisters(1, 2, 3, (4,)), frame(23, b"\0\1\0\2\0\3\0\1\2\0\4")),
    (Raw(43, b"\x0e\1\0"), frame(43, b"\x0e\1\0")),
    (Raw(0x90), frame(0x90)),
]
RESPONSES: list[tuple[Response, bytes]] = [
    (ReadCoilsResponse((*NINE, *[False] * 7)), frame(1, b"\2\x81\1")),
    (ReadDiscreteInputsResponse(()), frame(2, b"\0")),
    (ReadHoldingRegistersResponse((1, 0xFFFF)), frame(3, b"\4\0\1\xff\xff")),
    (ReadInputRegistersResponse((7,), unit=3, transaction=5), frame(4, b"\2\0\7", unit=3, transaction=5)),
    (ReadWriteRegistersResponse((7,)), frame(23, b"\2\0\7")),
    (ExceptionResponse(3, 2), frame(0x83, b"\2")),
    (ExceptionResponse(0, 0), frame(0x80, b"\0")),
    (Raw(6, b"\0\1\0\2"), frame(6, b"\0\1\0\2")),
    (Raw(99), frame(99)),
]
WRONG_REQUESTS = [
    *(frame(function, b"\0\0\0") for function in (1, 2, 3, 4, 5, 6)),
    *(frame(function, b"\0\0\0\0\0") for function in (1, 2, 3, 4, 5, 6)),
    frame(5, b"\0\1\0\1"),
    frame(15, b"\0\1\0\x09\1\x81"),
    frame(15, b"\0\1\0\x09\2\x81"),
    frame(15, b"\0\1\0\x09\2\x81\1\1"),
    frame(16, b""),
    frame(16, b"\0\1\0\2\4\0\2\0"),
    frame(16, b"\0\1\0\1\4\0\2\0\3"),  # more is written than announced
    frame(16, b"\0\1\0\1\2\0\2\0\3"),
    frame(16, b"\0\1\0\1\2\0"),
    frame(22, b"\0\1\0\2\0"),
    frame(23, b"\0\1\0\2\0\3\0\1\4\0\4\0\5"),
    frame(23, b"\0\1\0\2\0\3\0\1\2\0\4\0\5"),
]
WRONG_RESPONSES = [
    frame(1),
    frame(1, b"\2\1"),
    frame(1, b"\1\1\1"),
    frame(3),
    frame(3, b"\1\1"),
    frame(3, b"\2\1"),
    frame(3, b"\2\1\1\1"),
    frame(0x83),
    frame(0x83, b"\2\2"),
]


class BytesTests(SynchronousTestCase):
    """What the bytes of messages are."""

    def test_requests(self) -> None:
        """Each request is read from its bytes, and written as these."""
        for request, data in REQUESTS:
            self.assertEqual((decode_request(data), encode(request)), (request, data))

    def test_responses(self) -> None:
        """Each response is read from its bytes, and written as these."""
        for response, data in RESPONSES:
            self.assertEqual((decode_response(data), encode(response)), (response, data))

    def test_padding(self) -> None:
        """Bits of a request behind the last coil mean nothing."""
        self.assertEqual(decode_request(frame(15, b"\0\1\0\2\1\xfe")), WriteCoils(1, (False, True)))

    def test_longest(self) -> None:
        """As much can be read and written as the protocol allows, and no more."""
        registers = tuple(range(125))
        self.assertEqual(len(encode(ReadHoldingRegistersResponse(registers))), 259)
        self.assertEqual(len(encode(Raw(99, bytes(252)))), 260)
        for message in (
            Raw(99, bytes(253)),
            ReadHoldingRegistersResponse((*registers, 0)),
            WriteCoils(0, (True,) * 3000),
        ):
            self.assertRaises(MarshalingError, encode, message)


class WrongTests(SynchronousTestCase):
    """Messages that are not valid."""

    def test_requests(self) -> None:
        """A request of the wrong size, or with other sizes in it than it has, is an error with an exception in it."""
        for data in WRONG_REQUESTS:
            data = b"\0\x09" + data[2:]
            error = self.assertRaises(MalformedMessage, decode_request, data)
            self.assertTrue(error.ends_link)
            self.assertEqual(error.answer, frame(data[7] | 0x80, b"\3", transaction=9))
        self.assertEqual(str(error), "the ReadWriteRegisters 00 01 00 02 00 03 00 01 02 00 04 00 05 is not valid")

    def test_requests_without_a_class(self) -> None:
        """So is a request without a class of its own, if its function says how many bytes it has."""
        for function, data in ((7, b""), (17, b""), (20, b"\0"), (21, b"\2ab"), (24, b"\0\1"), (43, b"\x0e\1\0")):
            self.assertEqual(decode_request(frame(function, data)), Raw(function, data))
            for wrong in (data + b"\0", data[:-1] if data else b"ab"):
                error = self.assertRaises(MalformedMessage, decode_request, frame(function, wrong))
                self.assertEqual(error.answer, frame(function | 0x80, b"\3"))
        self.assertRaises(MalformedMessage, decode_request, frame(20))
        for function, data in ((8, b"\0\0abcd"), (43, b"\x0dabcd"), (100, b"abcd")):
            self.assertEqual(decode_request(frame(function, data)), Raw(function, data))

    def test_responses(self) -> None:
        """So is such a response."""
        for data in WRONG_RESPONSES:
            self.assertRaises(MalformedMessage, decode_response, data)

    def test_headers(self) -> None:
        """A header that does not suit the message is an error, without an exception in it."""
        for data in (b"", b"\0\1\0\0\0\1\1", b"\0\1\0\1\0\2\1\x63", b"\0\1\0\0\0\3\1\x63"):
            for decode in (decode_request, decode_response):
                self.assertEqual(self.assertRaises(MalformedMessage, decode, data).answer, b"")

    def test_numbers(self) -> None:
        """Numbers that are out of range cannot be written, and the error has the message."""
        wrong: Any = "7"
        for message in (
            ReadCoils(65536, 1),
            ReadCoils(0, -1),
            WriteRegister(0, -1),
            WriteRegister(0, wrong),
            WriteRegister(0, 1, unit=256),
            WriteRegister(0, 1, transaction=65536),
            Raw(256),
            ExceptionResponse(3, 256),
            ReadHoldingRegistersResponse((65536,)),
        ):
            error = self.assertRaises(MarshalingError, encode, message)
            self.assertIn(repr(message), str(error))

    @given(st.binary(max_size=30), st.sampled_from([*range(30), 0x83]), st.booleans())
    def test_any_bytes(self, data: bytes, function: int, is_request: bool) -> None:
        """Whatever comes is read as a message whose bytes are the same, or is an error."""
        whole = frame(function, data)
        try:
            message = (decode_request if is_request else decode_response)(whole)
        except MalformedMessage:
            return
        if not isinstance(message, WriteCoils):  # whose last bits mean nothing
            self.assertEqual(encode(message), whole)

    def test_sizes(self) -> None:
        """The header has the size of all that follows it."""
        for _, data in (*REQUESTS, *RESPONSES):
            self.assertEqual(struct.unpack(">H", data[4:6]), (len(data) - 6,))
