"""The harness for openings, and what it shows of those that are ready."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import (
    ClientGone,
    ClientIPNotAuthorized,
    ClientNotAllowed,
    HelloTimeout,
    InvalidHello,
    Limits,
    OpeningFailed,
    RefusedByApplication,
    Send,
    ServerUnreachable,
    WrongMode,
    dialects,
)
from twisted_repeater.dialects import Attempt, Dialect, Frame, Opening, by_address, first_message, server_first
from twisted_repeater.framings import Int32Framing
from twisted_repeater.testing import OpeningHarness, Step

from ..certificates import Authority

ASKS_FOR_TLS = b"\0\0\0\x03tls"


def framing(limits: Limits) -> Int32Framing:
    """Return a framing."""
    return Int32Framing(limits.max_frame)


def frame(payload: bytes) -> bytes:
    """Return the frame of a payload."""
    return len(payload).to_bytes(4, "big") + payload


def harness(opening: Opening, **options: Any) -> OpeningHarness:
    """Return a harness for an opening."""
    return OpeningHarness(Dialect(name="test", framing=framing, opening=opening), **options)


class ByAddressTests(SynchronousTestCase):
    """The opening `by_address`."""

    def test_first_byte(self) -> None:
        """The server is dialled with the client's first byte, and gets it."""
        opening = harness(by_address)
        opening.client_connects().expect(Step.BEGUN)
        self.assertEqual(opening.name, "")
        opening.client_sends(b"\0").expect(Step.LINKED)
        self.assertEqual(opening.name, opening.link.client_name)
        self.assertTrue(opening.name.startswith("127.0.0.1:"))
        opening.client_sends(b"\0\0\2ab").expect(Step.LINKED, to_server=frame(b"ab"))
        opening.server_sends(frame(b"c")).expect(Step.LINKED, to_client=frame(b"c"))

    def test_silence(self) -> None:
        """A client that says nothing is refused in time, and the server never hears of it."""
        opening = harness(by_address, limits=Limits(hello_timeout=5))
        opening.client_connects().expect(Step.BEGUN)
        opening.advance(4.9).expect(Step.BEGUN)
        opening.advance(0.1).expect(Step.REFUSED, error=HelloTimeout)
        self.assertIs(opening.server.transport, None)

    def test_leaving(self) -> None:
        """A client that leaves without a byte is no event at all."""
        opening = harness(by_address)
        opening.client_connects()
        progress = opening.client_closes()
        progress.expect(Step.REFUSED)
        self.assertEqual((progress.client_closed, progress.server_closed), (True, False))

    def test_no_server(self) -> None:
        """A server that does not listen is told."""
        opening = harness(by_address)
        opening.running.stop_listening()
        opening.client_connects()
        opening.client_sends(b"\0").expect(Step.REFUSED, error=ServerUnreachable)


class FirstMessageTests(SynchronousTestCase):
    """The opening `first_message`."""

    def harness(self, **options: Any) -> OpeningHarness:
        """Return a harness in which the first message is the name."""
        return harness(first_message(lambda frame: frame.payload.decode() or None), **options)

    def test_byte_by_byte(self) -> None:
        """The first message has the name, is in the stream all the same, and goes through the filters."""
        opening = self.harness(to_server_filter=lambda message, link: Send(message.upper()))
        opening.client_connects()
        for at in range(6):
            opening.client_sends(frame(b"ann")[at : at + 1]).expect(Step.BEGUN)
        opening.client_sends(b"n").expect(Step.LINKED, to_server=frame(b"ANN"))
        self.assertEqual(opening.name, "ann")

    def test_no_name(self) -> None:
        """A client without a name is named after its address."""
        opening = self.harness(client_host="192.0.2.7")
        opening.client_connects()
        opening.client_sends(frame(b"")).expect(Step.LINKED, to_server=frame(b""))
        self.assertTrue(opening.name.startswith("192.0.2.7:"))

    def test_refused(self) -> None:
        """A client that is not allowed is refused before the server is dialled."""
        opening = self.harness(is_client_allowed=lambda name: name != "eve")
        opening.client_connects()
        opening.client_sends(frame(b"eve")).expect(Step.REFUSED, error=ClientNotAllowed)
        self.assertIs(opening.server.transport, None)

    def test_garbage(self) -> None:
        """Bytes that are no frame cost their sender the connection."""
        opening = self.harness()
        opening.client_connects()
        progress = opening.client_sends(b"GET / HTTP/1.1\r\n\r\n")
        progress.expect(Step.REFUSED, error=InvalidHello)
        self.assertIn("GET / HTTP/1.1", str(progress.error))


class ServerFirstTests(SynchronousTestCase):
    """The opening `server_first`."""

    def test_greeting(self) -> None:
        """The server is dialled at once, and may speak first."""
        opening = harness(server_first)
        opening.client_connects().expect(Step.LINKED)
        opening.server_sends(frame(b"welcome")).expect(Step.LINKED, to_client=frame(b"welcome"))

    def test_end(self) -> None:
        """When the server closes, the link ends."""
        opening = harness(server_first)
        opening.client_connects()
        progress = opening.server_closes()
        self.assertEqual((progress.client_closed, progress.server_closed), (True, True))
        self.assertIs(opening.advance(60).step, Step.ENDED)


class HellosTests(SynchronousTestCase):
    """The opening `hellos`, in the dialect ``int32``."""

    def test_whole(self) -> None:
        """The client is answered once the server has accepted it."""
        opening = OpeningHarness(dialects.int32(), server_name="quotes", repeater_name="edge")
        opening.client_connects().expect(Step.BEGUN)
        progress = opening.client_sends(frame(b'{"name":"ann"}'))
        self.assertIs(progress.step, Step.DIALLED)
        self.assertIn(b'"name":"ann"', progress.to_server)
        self.assertEqual(progress.to_client, b"")
        progress = opening.server_sends(frame(b'{"name":"quotes"}'))
        self.assertIs(progress.step, Step.LINKED)
        self.assertIn(b'"credentials":"edge"', progress.to_client)
        self.assertEqual(opening.link.client_hello.name, "ann")

    def test_wrong_mode(self) -> None:
        """A client in another mode is refused."""
        opening = OpeningHarness(dialects.int32())
        opening.client_connects()
        opening.client_sends(frame(b'{"name":"ann","mode":"test"}')).expect(Step.REFUSED, error=WrongMode)

    def test_server_that_leaves(self) -> None:
        """So is one whose server leaves."""
        opening = OpeningHarness(dialects.int32())
        opening.client_connects()
        opening.client_sends(frame(b'{"name":"ann"}'))
        opening.server_closes().expect(Step.REFUSED, error=ServerUnreachable)


class StepTests(SynchronousTestCase):
    """Openings that stop between two steps."""

    def stopping(self, steps: int) -> tuple[OpeningHarness, Deferred[None]]:
        """Return a harness whose opening takes so many steps, then waits for the Deferred."""
        go_on: Deferred[None] = Deferred()

        async def opening(attempt: Attempt) -> None:
            taken: list[Callable[[], Deferred[None]]] = [attempt.admit, attempt.dial, attempt.connect]
            for step in taken[:steps]:
                await step()
            await go_on

        return harness(opening), go_on

    def test_each(self) -> None:
        """Each step is told from the others, and followed by those that are left out."""
        for steps, step in enumerate([Step.BEGUN, Step.ADMITTED, Step.DIALLED, Step.CONNECTED]):
            opening, go_on = self.stopping(steps)
            opening.client_connects().expect(step)
            go_on.callback(None)
            opening.progress().expect(Step.LINKED)

    def test_failing(self) -> None:
        """An opening that raises ends its attempt with what it raised."""
        opening, go_on = self.stopping(2)
        opening.client_connects()
        go_on.errback(OSError("no disk"))
        progress = opening.progress()
        progress.expect(Step.REFUSED, error=OpeningFailed)
        self.assertIn("no disk", str(progress.error))
        self.assertTrue(progress.client_closed)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_application(self) -> None:
        """A client that the application refuses is refused, whatever the step."""

        def on_connect(link: object) -> None:
            raise OSError("no")

        opening = harness(server_first, on_connect=on_connect)
        opening.client_connects().expect(Step.REFUSED, error=RefusedByApplication)
        opening = harness(server_first, is_client_ip_authorized=lambda ip: False)
        opening.client_connects().expect(Step.REFUSED, error=ClientIPNotAuthorized)
        self.assertRaises(AssertionError, lambda: opening.link)

    def test_leaving_client(self) -> None:
        """A client that leaves in the middle is refused as gone."""
        opening, _ = self.stopping(0)
        opening.client_connects()
        opening.client_sends(b"x")
        opening.client.abort()
        opening.progress().expect(Step.REFUSED, error=ClientGone)

    def test_ended_streams(self) -> None:
        """Either side may end its stream and still read."""
        opening = harness(server_first)
        opening.client_connects()
        opening.server.keeps_open = True
        opening.client_sends(frame(b"last"))
        opening.client_ends_stream()
        opening.server_sends(frame(b"reply"))
        self.assertEqual(opening.client.received, frame(b"reply"))
        opening.server_ends_stream()
        self.assertIs(opening.step, Step.ENDED)

    def test_clock(self) -> None:
        """The clock may be another part's too."""
        clock = Clock()
        opening = harness(server_first, clock=clock)
        self.assertIs(opening.clock, clock)


class ExpectTests(SynchronousTestCase):
    """Expectations that fail."""

    def assert_complains(self, text: str, check: Callable[[], object]) -> None:
        """It fails with this text and the transcript."""
        error = str(self.assertRaises(AssertionError, check))
        self.assertIn(text, error)
        self.assertIn("What happened:\n", error)

    def test_complaints(self) -> None:
        """Each difference is told."""
        opening = harness(by_address)
        progress = opening.client_connects()
        self.assert_complains("the opening is begun, expected linked", lambda: progress.expect(Step.LINKED))
        self.assert_complains("the client got:", lambda: progress.expect(Step.BEGUN, to_client=b"x"))
        self.assert_complains("the server got:", lambda: progress.expect(Step.BEGUN, to_server=b"x"))
        self.assert_complains(
            "the error is None, expected HelloTimeout", lambda: progress.expect(Step.BEGUN, error=HelloTimeout)
        )
        refused = opening.advance(60)
        self.assert_complains("expected none", lambda: refused.expect(Step.REFUSED))
        self.assert_complains("expected ClientGone", lambda: refused.expect(Step.REFUSED, error=ClientGone))

    def test_nobody(self) -> None:
        """A server that is not dialled yet cannot send."""
        opening = harness(by_address)
        opening.client_connects()
        self.assertRaises(AssertionError, opening.server_sends, b"x")


class TLSTests(SynchronousTestCase):
    """TLS that begins inside an opening, in memory."""

    def setUp(self) -> None:
        """Make certificates."""
        self.addCleanup(self.flushWarnings)  # Twisted calls pyOpenSSL in ways that are out of date
        self.directory = Path(tempfile.mkdtemp(prefix="certificates-"))
        self.addCleanup(rmtree, self.directory)
        self.authority = Authority(self.directory)
        own = self.authority.issue("quotes.test").load()
        self.as_server = own.options()
        self.as_client = optionsForClientTLS("quotes.test", self.authority.load())

    async def starting(self, attempt: Attempt) -> None:
        """Begin TLS with the client if it asks for that, and then with the server."""
        request: Frame = await attempt.client.peek()
        if request.data == ASKS_FOR_TLS:
            await attempt.client.read()
            attempt.client.send(b"S")
            await attempt.client.start_tls(self.as_server)
        await attempt.admit()
        await attempt.dial()
        attempt.server.send(ASKS_FOR_TLS)
        await attempt.server.read()
        await attempt.server.start_tls(self.as_client)

    def test_both(self) -> None:
        """TLS ends here and begins again towards the server, and filters see the messages."""
        opening = harness(self.starting, to_server_filter=lambda message, link: Send(message.upper()))
        opening.client_connects()
        opening.client_sends(ASKS_FOR_TLS).expect(Step.BEGUN, to_client=b"S")
        opening.client_starts_tls(self.as_client).expect(Step.DIALLED, to_server=ASKS_FOR_TLS)
        opening.server_sends(frame(b"ok"))
        opening.server_starts_tls(self.as_server, received=opening.server.received[len(ASKS_FOR_TLS) :])
        self.assertIs(opening.step, Step.LINKED)
        opening.client_sends(frame(b"secret")).expect(Step.LINKED, to_server=frame(b"SECRET"))
        opening.server_sends(frame(b"reply")).expect(Step.LINKED, to_client=frame(b"reply"))

    def test_one_side(self) -> None:
        """TLS with the client need not be TLS with the server."""

        async def opening_of_client(attempt: Attempt) -> None:
            await attempt.client.read()
            attempt.client.send(b"S")
            await attempt.client.start_tls(self.as_server)

        opening = harness(opening_of_client)
        opening.client_connects()
        opening.client_sends(ASKS_FOR_TLS).expect(Step.BEGUN, to_client=b"S")
        opening.client_starts_tls(self.as_client).expect(Step.LINKED)
        opening.client_sends(frame(b"plain")).expect(Step.LINKED, to_server=frame(b"plain"))
        opening.client_closes()
        self.assertIs(opening.advance(60).step, Step.ENDED)

    def test_garbage(self) -> None:
        """Bytes that are not TLS cost their sender the connection."""
        opening = harness(self.starting)
        opening.client_connects()
        opening.client_sends(ASKS_FOR_TLS)
        opening.client_sends(b"GET / HTTP/1.1\r\n\r\n").expect(Step.REFUSED, error=InvalidHello)
