"""Tests of the opening of PostgreSQL, in memory."""

from __future__ import annotations

import struct
from typing import Any

from twisted.internet.ssl import CertificateOptions, optionsForClientTLS
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.postgres import postgres
from twisted_repeater.dialects.postgres.opening import OneByte
from twisted_repeater.errors import ClientNotAllowed, InvalidHello, ServerUnreachable
from twisted_repeater.model import Side
from twisted_repeater.testing import OpeningHarness, Step

from ...certificates import Authority

SSL, GSS, CANCEL = (struct.pack("!ii", 8, code) for code in (80877103, 80877104, 80877102))
OK = b"R\0\0\0\x08\0\0\0\0"
FATAL = b"E\0\0\0\x10SFATAL\0Mno\0\0"


def startup(minor: int = 0, **parameters: str) -> bytes:
    """Make a startup packet."""
    body = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
    return struct.pack("!ii", len(body) + 8, 3 << 16 | minor) + body


ANN = startup(user="ann")


class Case(SynchronousTestCase):
    """A test case with a client."""

    def begin(self, *says: bytes, allowed: bool = True, **options: Any) -> OpeningHarness:
        """Let a client connect and say something; ``options`` are the dialect's."""
        harness = OpeningHarness(postgres(**options), is_client_allowed=lambda name: allowed)
        harness.client_connects()
        for each in says:
            harness.client_sends(each)
        return harness


class OpeningTests(Case):
    """Client and server on their way to a session."""

    def test_session(self) -> None:
        """Requests for encryption are declined, and the startup packet reaches the server as it came."""
        harness = self.begin(SSL, GSS)
        self.assertEqual(harness.client.received, b"NN")
        harness.client_sends(ANN).expect(Step.DIALLED, to_server=ANN)
        harness.server_sends(OK).expect(Step.LINKED, to_client=OK)
        self.assertEqual(harness.link.details["database"], "ann")

    def test_password(self) -> None:
        """The server's request for a password and the answer are relayed, and its refusal is the client's to read."""
        harness = self.begin(ANN)
        asks, answer = b"R\0\0\0\x08\0\0\0\x03", b"p\0\0\0\x0bsecret\0"
        harness.server_sends(asks).expect(Step.DIALLED, to_client=asks)
        harness.client_sends(answer).expect(Step.DIALLED, to_server=answer)
        harness.server_sends(FATAL).expect(Step.REFUSED, to_client=FATAL, error=ServerUnreachable)

    def test_gss(self) -> None:
        """After a token of GSS either side may speak."""
        harness = self.begin(ANN)
        harness.server_sends(b"R\0\0\0\x08\0\0\0\x07")
        harness.client_sends(b"p\0\0\0\x04")
        harness.server_sends(b"R\0\0\0\x09\0\0\0\x08x")
        harness.client_sends(b"p\0\0\0\x05y").expect(Step.DIALLED, to_server=b"p\0\0\0\x05y")
        harness.server_sends(b"R\0\0\0\x09\0\0\0\x08z")
        harness.server_sends(OK).expect(Step.LINKED, to_client=OK)

    def test_versions(self) -> None:
        """A version or an extension that is not known is not asked for, and the client is told."""
        harness = self.begin()
        asked = startup(9999, user="ann", **{"_pq_.new": "1"})
        harness.client_sends(asked).expect(Step.DIALLED, to_server=startup(2, user="ann"))
        told = b"v\0\0\0\x15\0\3\0\2\0\0\0\1_pq_.new\0"
        harness.server_sends(OK).expect(Step.LINKED, to_client=told + OK)

    def test_cancel(self) -> None:
        """A request to cancel a statement is forwarded, without an answer."""
        harness = self.begin()
        packet = struct.pack("!iiii", 16, 80877102, 1, 2)
        harness.client_sends(packet).expect(Step.LINKED, to_server=packet)
        self.assertTrue(harness.link.details["cancel"])
        long = struct.pack("!iii", 268, 80877102, 1) + b"k" * 256  # the longest key of version 3.2
        self.assertEqual(self.begin().client_sends(long).to_server, long)

    def test_cancel_and_leave(self) -> None:
        """The request arrives also if its client leaves before the server can get it."""
        packet = struct.pack("!iiii", 16, 80877102, 1, 2)
        harness = self.begin(packet, server_tls="prefer")
        harness.client_closes()
        self.assertEqual(harness.server_sends(b"N").to_server, packet)

    def test_refused(self) -> None:
        """A client that is refused reads why, if it speaks the protocol."""
        harness = self.begin(allowed=False)
        progress = harness.client_sends(ANN)
        self.assertIsInstance(progress.error, ClientNotAllowed)
        self.assertIn(b"Mrepeater: client 'ann' is not allowed\0", progress.to_client)
        for packet, words in (
            (b"GET / HTTP/1.1\r\n\r\n", b""),
            (SSL + SSL, b"N"),
            (startup(database="d"), b"must name a user"),
            (struct.pack("!ii", 9, 2 << 16) + b"\0", b"version 2.0"),
        ):
            progress = self.begin().client_sends(packet)
            self.assertIsInstance(progress.error, InvalidHello)
            self.assertIn(words, progress.to_client)

    def test_lengths(self) -> None:
        """A packet that is too long, or whose length lies, costs its sender the connection, with words if it can."""
        for packet, words in (
            (struct.pack("!II", 10_005, 3 << 16), b"at most 10004 bytes, not 10005"),
            (struct.pack("!II", 0xFFFFFFFF, 3 << 16), b"at most 10004 bytes"),
            (struct.pack("!II", 7, 3 << 16), b""),
            (struct.pack("!II", 0xFFFFFFFF, 80877103), b""),
            (struct.pack("!II", 9, 80877103) + b"x", b""),
        ):
            progress = self.begin().client_sends(packet)
            self.assertIsInstance(progress.error, InvalidHello)
            self.assertIn(words, progress.to_client)
        long: dict[str, Any] = {"parameters": {"search_path": "x" * 9990}}
        short = self.begin(parameters={"search_path": "x"})
        self.assertIn(b"search_path\0x\0", short.client_sends(ANN).to_server)
        self.assertIn(b"at most 10004 bytes", self.begin(**long).client_sends(ANN).to_client)

    def test_twice(self) -> None:
        """Each request may be made once: the second one is not answered."""
        for requests in ((SSL, SSL), (GSS, GSS), (GSS, SSL, GSS)):
            harness = self.begin(*requests)
            self.assertEqual(harness.client.received, b"N" * (len(requests) - 1))
            self.assertEqual(harness.step, Step.REFUSED)


class TLSTests(Case):
    """TLS of both connections."""

    def setUp(self) -> None:
        """Issue certificates."""
        self.addCleanup(self.flushWarnings)
        self.authority = Authority(self.mktemp())
        issued = self.authority.issue("localhost")
        self.own: dict[str, Any] = {"certificate": str(issued.certificate), "key": str(issued.key)}
        self.issued = issued.load()

    def wants(self, *protocols: bytes) -> Any:
        """Return the options of a client."""
        return optionsForClientTLS("localhost", self.authority.load(), acceptableProtocols=list(protocols) or None)

    def test_client(self) -> None:
        """A client that asks for TLS gets it, once; the server hears of none."""
        harness = self.begin(SSL, **self.own)
        self.assertEqual(harness.client.received, b"S")
        harness.client_starts_tls(self.wants())
        harness.client_sends(ANN).expect(Step.DIALLED, to_server=ANN)
        harness.server_sends(OK)
        self.assertTrue(harness.link.details["secure"])
        harness = self.begin(SSL, **self.own)
        harness.client_starts_tls(self.wants())
        self.assertIsInstance(harness.client_sends(GSS).error, InvalidHello)

    def test_required(self) -> None:
        """Where TLS is required, a session without it is refused, and the client reads what to do."""
        progress = self.begin(**self.own, client_tls="require").client_sends(ANN)
        self.assertIn(b"Mrepeater: the connection must use TLS\0HConnect with sslmode=require.\0", progress.to_client)

    def test_at_once(self) -> None:
        """A client may begin TLS without asking, if it names the protocol, and TLS is offered."""
        harness = self.begin(**self.own)
        harness.client_starts_tls(self.wants(b"postgresql"))
        harness.client_sends(ANN).expect(Step.DIALLED, to_server=ANN)
        harness = self.begin(**self.own)
        self.assertIn("without naming postgresql by ALPN", str(harness.client_starts_tls(self.wants()).error))
        self.assertIn("which is not offered here", str(self.begin().client_sends(b"\x16").error))

    def test_server(self) -> None:
        """The repeater asks the server for TLS, and begins it if the server agrees."""
        harness = self.begin(ANN, server_tls="require")
        self.assertEqual(harness.server.received, SSL)
        harness.server_sends(b"S")
        hello = harness.server.received[len(SSL) :]
        options = CertificateOptions(self.issued.privateKey.original, self.issued.original)
        harness.server_starts_tls(options, received=hello)
        harness.server_sends(OK).expect(Step.LINKED, to_client=OK)
        self.assertTrue(harness.link.server_hello.secure)

    def test_server_that_declines(self) -> None:
        """A server may decline if TLS is preferred. The text of an error in place of its answer reaches nobody."""
        self.begin(ANN, server_tls="prefer").server_sends(b"N").expect(Step.DIALLED, to_server=ANN)
        for says in (b"N", b"E\0\0\0\x08Mno\0\0", b"X"):
            progress = self.begin(ANN, server_tls="require").server_sends(says)
            self.assertIsInstance(progress.error, ServerUnreachable)
            self.assertIs(getattr(progress.error, "side", None), Side.SERVER)
            self.assertNotIn(b"Mno", progress.to_client)
            self.assertIn(b"C08001\0", progress.to_client)

    def test_one_byte(self) -> None:
        """The answer of a server is one byte, which a framing cuts."""
        framing = OneByte()
        self.assertEqual((framing.find(b"xN", 1, 2), framing.body), (2, 1))
        self.assertEqual(framing.find(b"", 0, 0), 0)
        self.assertEqual((framing.encode(b"N"), framing.replace(b"N", b"S")), (b"N", b"S"))
