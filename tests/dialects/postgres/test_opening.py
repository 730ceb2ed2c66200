"""Tests of the opening of PostgreSQL, in memory."""

from __future__ import annotations

import struct

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.postgres import postgres
from twisted_repeater.errors import ClientNotAllowed, InvalidHello, ServerUnreachable
from twisted_repeater.testing import OpeningHarness, Step

SSL, GSS, CANCEL = (struct.pack("!ii", 8, code) for code in (80877103, 80877104, 80877102))
OK = b"R\0\0\0\x08\0\0\0\0"
FATAL = b"E\0\0\0\x10SFATAL\0Mno\0\0"


def startup(minor: int = 0, **parameters: str) -> bytes:
    """Make a startup packet."""
    body = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
    return struct.pack("!ii", len(body) + 8, 3 << 16 | minor) + body


ANN = startup(user="ann")


class OpeningTests(SynchronousTestCase):
    """Client and server on their way to a session."""

    def begin(self, *says: bytes, **options: object) -> OpeningHarness:
        """Let a client connect and say something."""
        self.harness = OpeningHarness(postgres(), **options)  # type: ignore[arg-type]
        self.harness.client_connects()
        for each in says:
            self.harness.client_sends(each)
        return self.harness

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

    def test_refused(self) -> None:
        """A client that is refused reads why, if it speaks the protocol."""
        harness = self.begin(is_client_allowed=lambda name: False)
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
