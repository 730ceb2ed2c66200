"""The dialect as a whole, and its opening."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, InvalidHello, Link, Verdict, dialects
from twisted_repeater.dialects.modbus import (
    ExceptionResponse,
    ReadHoldingRegistersResponse,
    RequestCodec,
    WriteRegister,
)
from twisted_repeater.filters import ByType
from twisted_repeater.testing import FilterHarness, MemoryRepeater, OpeningHarness, Step, check_framing

from .frames import frame
from .test_wire import REQUESTS

READ = frame(3, b"\0\0\0\1", transaction=7)
WRONG_FRAMES = (
    b"\0\1\0\0\0\0",
    b"\0\1\0\0\0\1\1",
    b"\0\1\0\0\0\xff\1\3",
    b"\0\1\0\0\xff\xff\1\3",
    b"\0\1\0\1\0\6\1\3",
    b"\0\1\1\0\0\6\1\3",
    b"GET / HTTP/1.1\r\n",
    b"\x16\3\1\2\0\1\0\1\xfc\3\3",
)
"""A length below 2 or above 254, another number of the protocol, other protocols."""


class OpeningTests(SynchronousTestCase):
    """How a link begins."""

    def test_steps(self) -> None:
        """The server is dialled when the first request is whole, which it gets."""
        for cut in (1, 5, 1000):
            run = OpeningHarness(dialects.modbus())
            run.client_connects()
            for at in range(0, len(READ) - 1, cut):
                self.assertEqual(run.step, Step.BEGUN)
                run.client_sends(READ[at : min(at + cut, len(READ) - 1)])
            self.assertEqual(run.client_sends(READ[-1:]).to_server, READ)
            self.assertEqual(run.step, Step.LINKED)
            self.assertEqual(dict(run.link.details), {"first_header": READ[:8]})
            self.assertTrue(run.name.startswith("127.0.0.1:"), run.name)

    def test_others(self) -> None:
        """Bytes that cannot be a request dial no server."""
        for said in WRONG_FRAMES:
            running = MemoryRepeater(dialects.modbus())
            client = running.connect(says=[said])
            self.assertEqual([type(error) for error in running.refusals], [InvalidHello])
            self.assertIsNotNone(client.lost)

    def test_shared(self) -> None:
        """Several clients may come from one address."""
        running = MemoryRepeater(dialects.modbus())
        clients = [running.connect(says=[READ]) for _ in range(3)]
        self.assertEqual(len({running.link(client).id for client in clients}), 3)
        self.assertEqual(running.refusals, [])


class FilterTests(SynchronousTestCase):
    """Messages, on a link."""

    def test_untouched(self) -> None:
        """What passes are the bytes that came, also if they could be others."""

        def look(message: Any, link: Link) -> Verdict:
            return PASS_ON

        run = FilterHarness(look, look, dialect=dialects.modbus(), says=[READ])
        for data in (*(data for _, data in REQUESTS), frame(15, b"\0\1\0\2\1\xfe"), frame(99, bytes(252))):
            self.assertEqual(run.client_sends_payloads(data).to_server_bytes, data)
        for data in (frame(3, b"\2\0\1"), frame(0x83, b"\x63"), frame(6, b"any")):
            self.assertEqual(run.server_sends_payloads(data).to_client_bytes, data)

    def test_in_order(self) -> None:
        """Several requests in one packet stay in order, whatever their numbers are."""
        run = FilterHarness(dialect=dialects.modbus(), says=[READ])
        sent = [frame(3, b"\0\0\0\1", transaction=number, unit=unit) for number, unit in ((9, 1), (0, 255), (0, 0))]
        self.assertEqual(run.client_sends_payloads(*sent).to_server_bytes, b"".join(sent))

    def test_responses_without_requests(self) -> None:
        """Responses pass whatever their numbers are: twice, late, or of no request."""
        run = FilterHarness(dialect=dialects.modbus(), says=[READ])
        for number in (7, 7, 500):
            data = frame(3, b"\2\0\1", transaction=number)
            self.assertEqual(run.server_sends_payloads(data).to_client_bytes, data)

    def test_by_type(self) -> None:
        """A method for a class sees messages of that class, and the others pass if they are valid."""
        seen = []

        class Writes(ByType):
            def on_write(self, message: WriteRegister, link: Link) -> Verdict:
                seen.append(message)
                return PASS_ON

        run = FilterHarness(Writes(), dialect=dialects.modbus(), says=[READ])
        others = frame(3, b"\0\0\0\1") + frame(16, b"\0\0\0\1\2\0\1") + frame(99, b"abc")
        run.client.send_bytes(others)
        run.client_sends(WriteRegister(1, 2))
        self.assertEqual(seen, [WriteRegister(1, 2)])
        passed = READ + others + RequestCodec().encode(WriteRegister(1, 2))
        self.assertEqual(run.server.received_bytes, passed)
        hidden = frame(3, b"\0\0\0\1" + frame(6, b"\0\1\0\2"))  # libmodbus takes it for two requests
        self.assertTrue(run.client_sends_payloads(hidden).closed)
        self.assertEqual(run.server.received_bytes, passed)

    def test_wrong_frames(self) -> None:
        """A frame that cannot be one ends the link of its sender."""
        for data in WRONG_FRAMES:
            for ends in ("client", "server"):
                run = FilterHarness(dialect=dialects.modbus(), says=[READ])
                getattr(run, ends).send_bytes(data)
                run.advance(60)
                self.assertTrue(run.outcome().closed, (ends, data))

    def test_messages_of_filters(self) -> None:
        """The classes of the other direction cannot be sent."""
        run = FilterHarness(dialect=dialects.modbus(), says=[READ])
        run.link.send_to_client(ReadHoldingRegistersResponse((1,)))
        run.link.send_to_client(WriteRegister(1, 2))
        run.link.send_to_server(ExceptionResponse(3, 2))
        outcome = run.outcome()
        self.assertEqual((outcome.to_client, len(outcome.errors)), ([ReadHoldingRegistersResponse((1,))], 2))


class FramingTests(SynchronousTestCase):
    """The framing."""

    def test_conformance(self) -> None:
        """It keeps the rules for framings."""
        dialect = dialects.modbus()
        check_framing(
            lambda limits: dialect.framings(limits).to_server,
            [data for _, data in REQUESTS],
            grow=lambda size: b"\0\0" + (size + 2).to_bytes(4) + b"\1\x63" + bytes(size),
        )
