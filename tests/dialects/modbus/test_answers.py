"""The exceptions that the repeater sends itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import (
    PASS_ON,
    ClientNotAllowed,
    HelloTimeout,
    RefusedByApplication,
    ServerUnreachable,
    TooManyClients,
    dialects,
)
from twisted_repeater.dialects.modbus import (
    ExceptionCode,
    ExceptionResponse,
    Raw,
    ReadCoils,
    ReadHoldingRegisters,
    RequestCodec,
    WriteRegister,
    refuse,
)
from twisted_repeater.dialects.modbus.answers import refusal
from twisted_repeater.testing import FilterHarness, MemoryRepeater

from .frames import frame

FIRST = ReadHoldingRegisters(0, 1, unit=3, transaction=77)


class RefuseTests(SynchronousTestCase):
    """A refused request."""

    def test_same_number_and_unit(self) -> None:
        """The exception has the number, the unit and the function of the request; the server gets nothing."""
        run = FilterHarness(lambda message, link: refuse(message), dialect=dialects.modbus(), says=[FIRST])
        run.opened.expect(to_client=[ExceptionResponse(3, ExceptionCode.ILLEGAL_FUNCTION, unit=3, transaction=77)])
        for unit in (0, 1, 247, 255):
            for number in (0, 65535):
                run.client_sends(WriteRegister(1, 2, unit=unit, transaction=number)).expect(
                    to_client=[ExceptionResponse(6, 1, unit=unit, transaction=number)]
                )

    def test_code(self) -> None:
        """A filter chooses the code."""

        def check(message: Any, link: object) -> Any:
            return refuse(message, ExceptionCode.SERVER_DEVICE_BUSY)

        run = FilterHarness(check, dialect=dialects.modbus(), says=[Raw(0x90)])
        run.opened.expect(to_client=[ExceptionResponse(0x10, 6)])


class RefusalTests(SynchronousTestCase):
    """A refused client."""

    def answer(self, says: bytes, **options: Any) -> tuple[bytes, MemoryRepeater]:
        """Return what a refused client gets."""
        running = MemoryRepeater(dialects.modbus(), **options)
        client = running.connect(says=[says])
        running.settle()
        self.assertIsNotNone(client.lost)
        return client.received_bytes, running

    def test_application(self) -> None:
        """A client that the application refuses gets an exception for its first request."""

        def refused(link: object) -> None:
            raise ValueError("no")

        received, running = self.answer(RequestCodec().encode(FIRST), on_connect=refused)
        self.assertEqual([type(error) for error in running.refusals], [RefusedByApplication])
        self.assertEqual(received, frame(0x83, b"\1", unit=3, transaction=77))

    def test_codes(self) -> None:
        """The exception says whether the server is gone, all places are taken, or the client may not come."""
        attempt: Any = SimpleNamespace(details={"first_header": RequestCodec().encode(FIRST)[:8]})
        for error, code in (
            (ServerUnreachable("gone"), 0x0A),
            (HelloTimeout("late"), 0x0B),
            (TooManyClients("full"), 6),
            (ClientNotAllowed("no"), 1),
        ):
            self.assertEqual(refusal(error, attempt), frame(0x83, bytes((code,)), unit=3, transaction=77))

    def test_no_request(self) -> None:
        """A client whose first bytes are no request gets nothing."""
        received, running = self.answer(b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual((received, len(running.refusals)), (b"", 1))


class FarewellTests(SynchronousTestCase):
    """A link that ends."""

    def test_not_valid(self) -> None:
        """A client whose request is not valid gets an exception for it, if a filter looks at such requests."""
        run = FilterHarness(lambda message, link: PASS_ON, dialect=dialects.modbus(), says=[FIRST])
        wrong = frame(16, b"\0\1\0\1\4\0\2\0\3", unit=9, transaction=8)
        outcome = run.client_sends_payloads(wrong)
        self.assertEqual(outcome.to_client_bytes, frame(0x90, b"\3", unit=9, transaction=8))
        self.assertTrue(outcome.closed)

    def test_server(self) -> None:
        """A response that is not valid says nothing to the client."""
        run = FilterHarness(None, lambda message, link: PASS_ON, dialect=dialects.modbus(), says=[FIRST])
        outcome = run.server_sends_payloads(frame(3, b"\1\1"))
        self.assertEqual((outcome.to_client_bytes, outcome.closed), (b"", True))

    def test_others(self) -> None:
        """A link that is closed for another reason says nothing."""
        run = FilterHarness(dialect=dialects.modbus(), says=[ReadCoils(0, 1)])
        run.link.close()
        outcome = run.outcome()
        self.assertEqual((outcome.to_client_bytes, outcome.closed), (b"", True))
