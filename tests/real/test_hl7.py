"""Clients and a server of the library hl7, with the dialect ``hl7`` between them."""

from __future__ import annotations

import ast
import asyncio
import sys
from pathlib import Path
from typing import Any

import hl7
from hl7.client import MLLPClient
from hl7.mllp import open_hl7_connection

from twisted_repeater import Repeater, Side, dialects
from twisted_repeater.dialects.hl7 import Mask, Messages, in_turn
from twisted_repeater.filters import chain

from ..paths import TESTS
from .servers import RealCase, bytewise, talk

SERVER = str(TESTS / "real" / "hl7_server.py")


def message(control_id: str, kind: str = "ADT^A01", sender: str = "REG", more: str = "") -> str:
    """Return a message."""
    return f"MSH|^~\\&|{sender}|NORTH|LAB|SOUTH|20240101||{kind}|{control_id}|P|2.5\rPID|1||7||DOE^JOHN||\r{more}"


def codes(*answers: bytes | str) -> list[str]:
    """Return the code and the control id of each answer."""
    texts = [answer.decode("latin-1") if isinstance(answer, bytes) else answer for answer in answers]
    parsed = [hl7.parse(text.strip("\x0b\x1c\r") + "\r") for text in texts]
    return [f"{one['MSA.F1']} {one['MSA.F2']}" for one in parsed]


class Hl7Case(RealCase):
    """A test case with a server and a repeater before it."""

    def setUp(self) -> None:
        """Start the server."""
        super().setUp()
        self.kept = self.directory / "kept"
        self.server = self.start_server(lambda port: [sys.executable, SERVER, str(port), str(self.kept)])

    async def start(self, **settings: Any) -> Repeater:
        """Start a repeater before the server."""
        dialect = settings.pop("dialect", None) or dialects.hl7()
        return await self.start_repeater(dialect, self.server.port, **settings)

    @property
    def received(self) -> list[bytes]:
        """The messages that the server got."""
        return [ast.literal_eval(line) for line in Path(self.kept).read_text().splitlines()]


def exchange(port: int, *messages: str, at_once: bool = False) -> list[str]:
    """Send messages with the asyncio client, each after the answer to the one before, or all at once. It blocks."""

    async def run() -> list[str]:
        reader, writer = await open_hl7_connection("127.0.0.1", port, limit=1 << 26, encoding="latin-1")
        answers = []
        for one in messages:
            writer.writemessage(hl7.parse(one))
            if not at_once:
                answers.append(str(await reader.readmessage()))
        while len(answers) < len(messages):
            answers.append(str(await reader.readmessage()))
        writer.close()
        await writer.wait_closed()
        return answers

    return asyncio.run(asyncio.wait_for(run(), 60))


class ClientTests(Hl7Case):
    """Two clients of the library."""

    async def test_blocking_client(self) -> None:
        """Messages and answers pass; a refused one is answered, and does not reach the server."""
        repeater = await self.start(filters=Messages(refuse=("ADT^A40",)))

        def run() -> list[str]:
            with MLLPClient("127.0.0.1", repeater.port) as client:
                return codes(*(client.send_message(message(*one)) for one in (("1",), ("2", "ADT^A40"), ("3",))))

        self.assertEqual(await self.in_thread(run), ["AA 1", "AR 2", "AA 3"])
        self.assertEqual(self.received, [message(number).encode() for number in "13"])

    async def test_one_message_a_connection(self) -> None:
        """A client that connects for each message is served each time."""
        repeater = await self.start()

        def run() -> list[str]:
            answers = []
            for number in range(5):
                with MLLPClient("127.0.0.1", repeater.port) as client:
                    answers.append(client.send_message(message(str(number))))
            return codes(*answers)

        self.assertEqual(await self.in_thread(run), [f"AA {number}" for number in range(5)])

    async def test_pipeline(self) -> None:
        """A client that does not wait gets all answers in the order of its messages, also those of the repeater."""
        repeater = await self.start(filters=Messages(refuse=("ADT^A40",)))
        kinds = ["ADT^A40" if number % 3 == 1 else "ADT^A01" for number in range(30)]
        sent = [message(str(number), kind, "SLOW" if number == 0 else "REG") for number, kind in enumerate(kinds)]
        answers = await self.in_thread(exchange, repeater.port, *sent, at_once=True)
        expected = [f"{'AR' if kind == 'ADT^A40' else 'AA'} {number}" for number, kind in enumerate(kinds)]
        self.assertEqual(codes(*answers), expected)

    async def test_masked(self) -> None:
        """One field is masked, and all other bytes reach the server as they were."""
        repeater = await self.start(filters=chain(Messages(allow=("ADT",)), Mask(fields=("PID-5",), segments=("NK1",))))
        sent = message("1", more="NTE|1||\xe9 two\r")
        answers = await self.in_thread(exchange, repeater.port, sent + "NK1|1|DOE^JANE\r", message("2", "ORU^R01"))
        self.assertEqual(codes(*answers), ["AA 1", "AR 2"])
        self.assertEqual(self.received, [sent.replace("DOE^JOHN", "").encode("latin-1")])

    async def test_large(self) -> None:
        """A message of some megabytes passes, without and with a filter that looks at it."""
        large = message("1", "ORU^R01", more="OBX|1|ED|||" + "QUJD" * 500_000 + "\r")
        for options in ({}, {"filters": Messages(refuse=("ADT^A40",))}):
            repeater = await self.start(dialect=dialects.hl7(max_frame=1 << 26), **options)
            self.assertEqual(codes(*await self.in_thread(exchange, repeater.port, large)), ["AA 1"])
        self.assertEqual([len(one) for one in self.received], [len(large)] * 2)

    async def test_named(self) -> None:
        """A client may be named after the application in its first message."""
        names: list[str] = []
        repeater = await self.start(
            dialect=dialects.hl7(name="application"), on_connect=lambda link: names.append(link.client_name)
        )
        await self.in_thread(exchange, repeater.port, message("1"))
        self.assertEqual(names, ["REG"])


class StreamTests(Hl7Case):
    """What the library's clients do not do."""

    async def test_bytewise(self) -> None:
        """Single bytes, and line feeds after frames, change nothing."""
        repeater = await self.start(dialect=dialects.hl7(filler="strip"), filters=Messages(refuse=("ADT^A40",)))
        frames = b"".join(b"\x0b" + message(*one).encode() + b"\x1c\r\n" for one in (("1",), ("2", "ADT^A40"), ("3",)))
        answers = await self.in_thread(talk, repeater.port, *bytewise(frames), until=b"|3\r\x1c\r")
        self.assertEqual(codes(*answers.split(b"\x1c\r")[:-1]), ["AA 1", "AR 2", "AA 3"])

    async def test_half_close(self) -> None:
        """A client that ends its stream after its last message still gets the answer."""
        repeater = await self.start(filters=Messages(refuse=("ADT^A40",)))
        frames = b"".join(
            b"\x0b" + message(*one).encode() + b"\x1c\r" for one in (("1", "ADT^A01", "SLOW"), ("2", "ADT^A40"))
        )
        answers = await self.in_thread(talk, repeater.port, frames, ends=True)
        self.assertEqual(codes(*answers.split(b"\x1c\r")[:-1]), ["AA 1", "AR 2"])

    async def test_server_that_does_not_answer(self) -> None:
        """A refusal that waits for an answer of the server in vain ends the link, and nobody else's."""
        repeater = await self.start(filters=in_turn(Messages(refuse=("ADT^A40",)).rules, answer_timeout=0.2))
        frames = b"".join(
            b"\x0b" + message(*one).encode() + b"\x1c\r" for one in (("1", "ADT^A01", "SILENT"), ("2", "ADT^A40"))
        )
        self.assertEqual(await self.in_thread(talk, repeater.port, frames), b"")
        self.assertEqual(codes(*await self.in_thread(exchange, repeater.port, message("3"))), ["AA 3"])

    async def test_not_mllp(self) -> None:
        """Bytes that are no frame end the link of their sender."""
        repeater = await self.start()
        self.assertEqual(await self.in_thread(talk, repeater.port, b"GET / HTTP/1.1\r\n\r\n"), b"")
        await self.until(lambda: self.calls.errors)
        self.assertIs(self.calls.errors[0][1], Side.CLIENT)
