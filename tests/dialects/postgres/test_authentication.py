"""The conversation from the startup packet to AuthenticationOk, in memory."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Limits
from twisted_repeater.dialects.postgres import postgres
from twisted_repeater.dialects.postgres.authentication import Security, _check_binding, _without_binding
from twisted_repeater.dialects.postgres.refusals import Refused, RefusedByServer
from twisted_repeater.errors import ClientGone, HelloTimeout, InvalidHello, ServerUnreachable
from twisted_repeater.model import Side
from twisted_repeater.testing import OpeningHarness, Step

from ...certificates import Authority


def frame(kind: bytes, body: bytes = b"") -> bytes:
    """Return a message."""
    return kind + struct.pack("!I", len(body) + 4) + body


def asks(kind: int, body: bytes = b"") -> bytes:
    """Return a message of type R."""
    return frame(b"R", struct.pack("!I", kind) + body)


def startup(minor: int = 0, **parameters: str) -> bytes:
    """Make a startup packet."""
    body = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
    return struct.pack("!ii", len(body) + 8, 3 << 16 | minor) + body


OK = asks(0)
SASL = asks(10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")
PLUS = asks(10, b"SCRAM-SHA-256-PLUS\0\0")


class Case(SynchronousTestCase):
    """A test case with a client that is admitted, and a server that is connected."""

    def begin(self, packet: bytes = startup(user="ann"), **options: Any) -> OpeningHarness:
        """Let a client say who it is."""
        harness = OpeningHarness(postgres(), **options)
        harness.client_connects()
        harness.client_sends(packet)
        return harness


class RelayTests(Case):
    """Questions of the server, and answers of the client."""

    def test_every_kind(self) -> None:
        """Each question is relayed, and what the client answers, but no message is awaited that does not come."""
        for kind in (3, 5, 7, 9, 10, 11):
            harness = self.begin()
            question = SASL if kind == 10 else asks(kind, b"salt")
            harness.server_sends(question)
            answer = frame(b"p", b"secret\0")
            harness.client_sends(answer).expect(Step.DIALLED, to_server=answer)
            harness.server_sends(asks(12, b"v=x") + OK).expect(Step.LINKED, to_client=asks(12, b"v=x") + OK)

    def test_notices(self) -> None:
        """A notice on the way is the client's."""
        notice = frame(b"N", b"SNOTICE\0Mso\0\0")
        self.begin().server_sends(notice + OK).expect(Step.LINKED, to_client=notice + OK)

    def test_early_messages(self) -> None:
        """What a client sends before it is admitted waits, and then goes through the filters."""
        harness = self.begin(startup(user="ann") + frame(b"Q", b"SELECT 1\0"))
        harness.server_sends(OK).expect(Step.LINKED, to_client=OK, to_server=frame(b"Q", b"SELECT 1\0"))

    def test_binding(self) -> None:
        """A client without TLS is not offered what is bound to a certificate, unless there is nothing else."""
        harness = self.begin()
        harness.server_sends(SASL).expect(Step.DIALLED, to_client=asks(10, b"SCRAM-SHA-256\0\0"))
        self.assertEqual(_without_binding(PLUS), PLUS)

    def test_binding_to_another_certificate(self) -> None:
        """A client that binds its password is refused if the server has another certificate."""
        authority = Authority(self.mktemp())
        one, other = (authority.issue("localhost", file=file).load().original for file in ("one", "other"))
        for security, refused in (
            (Security(True, True, one), True),
            (Security(True, True, other), False),
            (Security(True, True, None), False),
            (Security(False, True, one), False),
            (Security(True, False, one), False),
        ):
            attempt: Any = SimpleNamespace(server=SimpleNamespace(certificate=other))
            _check_binding(b"SCRAM-SHA-256", attempt, security)
            if refused:
                error = self.assertRaises(Refused, _check_binding, b"SCRAM-SHA-256-PLUS", attempt, security)
                self.assertIn("channel_binding=disable", error.hint)
            else:
                _check_binding(b"SCRAM-SHA-256-PLUS", attempt, security)

    def test_gss(self) -> None:
        """After a token of GSS either side may speak; if one speaks wrongly or leaves, the attempt ends."""
        harness = self.begin()
        harness.server_sends(asks(7))
        harness.client_sends(frame(b"p"))
        harness.server_sends(asks(8, b"x"))
        harness.client_sends(frame(b"p", b"y")).expect(Step.DIALLED, to_server=frame(b"p", b"y"))
        harness.server_sends(asks(8, b"z"))
        harness.server_sends(OK).expect(Step.LINKED, to_client=OK)
        harness = self.begin()
        harness.server_sends(asks(8, b"x"))
        self.assertIsInstance(harness.client_sends(b"p\xff\xff\xff\xff").error, InvalidHello)
        harness = self.begin()
        harness.server_sends(asks(8, b"x"))
        self.assertIsInstance(harness.client_closes().error, ClientGone)


class VersionTests(Case):
    """The version of the protocol."""

    def test_the_server_knows_less(self) -> None:
        """The client hears what the server says of the version, and of the repeater's extensions, in one message."""
        harness = self.begin(startup(9999, user="ann", **{"_pq_.a": "1"}))
        told = frame(b"v", struct.pack("!II", 3 << 16, 1) + b"_pq_.a\0")
        harness.server_sends(frame(b"v", struct.pack("!II", 3 << 16, 0)) + OK)
        harness.progress()
        self.assertEqual(harness.client.received, told + OK)
        self.assertEqual(harness.link.server_hello.version, (3, 0))

    def test_the_repeater_knows_less(self) -> None:
        """A server that agrees to what it was asked for says nothing; the client hears what it cannot have."""
        harness = self.begin(startup(9999, user="ann"))
        told = frame(b"v", struct.pack("!II", 3 << 16 | 2, 0))
        harness.server_sends(OK).expect(Step.LINKED, to_client=told + OK)
        self.assertEqual(harness.link.server_hello.version, (3, 2))

    def test_as_it_came(self) -> None:
        """Where the repeater has lowered nothing, the server's words are the client's as they came."""
        harness = self.begin(startup(2, user="ann"))
        told = frame(b"v", struct.pack("!II", 3 << 16, 0))
        harness.server_sends(told + OK).expect(Step.LINKED, to_client=told + OK)

    def test_wrong(self) -> None:
        """A server that negotiates wrongly is refused."""
        harness = self.begin(startup(9999, user="ann"))
        progress = harness.server_sends(frame(b"v", b"\0\3"))
        self.assertIsInstance(progress.error, InvalidHello)
        self.assertIn("the server does not speak postgres", str(progress.error))


class HostileTests(Case):
    """Peers that say something else."""

    def test_server(self) -> None:
        """Garbage, messages that are too long, and those that come too early, are the server's fault."""
        for says in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"R\x7f\xff\xff\xff", frame(b"Z", b"I"), b"\0" * 9):
            progress = self.begin().server_sends(says)
            self.assertIsInstance(progress.error, InvalidHello)
            self.assertIs(getattr(progress.error, "side", None), Side.SERVER)
            self.assertIn(b"FATAL", progress.to_client)

    def test_server_refuses(self) -> None:
        """The server's error ends the attempt, whenever it comes, and a server that leaves does."""
        error = frame(b"E", b"SFATAL\0VFATAL\0C28P01\0Mno\0\0")
        harness = self.begin()
        harness.server_sends(asks(3))
        harness.client_sends(frame(b"p", b"x\0"))
        harness.server_sends(error).expect(Step.REFUSED, to_client=error, error=RefusedByServer)
        self.assertIsInstance(self.begin().server_closes().error, ServerUnreachable)

    def test_silence(self) -> None:
        """A server that never answers, and a client that never sends its password, have limited time."""
        for question in (b"", asks(3)):
            harness = self.begin(limits=Limits(hello_timeout=3))
            harness.server_sends(question)
            progress = harness.advance(3.5)
            self.assertIsInstance(progress.error, HelloTimeout)
            self.assertIn(b"FATAL", progress.to_client)

    def test_client(self) -> None:
        """A client that does not answer the question, but terminates for example, is refused."""
        for says in (frame(b"X"), frame(b"Q", b"SELECT 1\0"), frame(b"d", b"x")):
            harness = self.begin()
            harness.server_sends(asks(3))
            progress = harness.client_sends(says)
            self.assertIsInstance(progress.error, Refused)
            self.assertIn(b"C08P01\0", progress.to_client)
            self.assertEqual(progress.to_server, b"")
