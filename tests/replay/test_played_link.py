"""A link that is played: what was recorded, and what comes."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import alsoProvides

from twisted_repeater import Limits, dialects
from twisted_repeater.framings import DelimitedFraming, Framings
from twisted_repeater.recording import RecordedLink
from twisted_repeater.replay import played_link
from twisted_repeater.replay.comparison import Comparison, Trouble
from twisted_repeater.replay.differences import Kind
from twisted_repeater.replay.played_link import CLOSING_TIME, PlayedLink


class Transport(StringTransport):
    """A transport that notes what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []
        self.at_once = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        """See `ITCPTransport`."""
        self.at_once = enabled
        raise OSError(errno.ENOTSUP, "a socket of another kind")

    def loseWriteConnection(self) -> None:
        """See `ITCPTransport`."""
        self.done.append("ends its stream")

    def loseConnection(self) -> None:
        """See `ITransport`."""
        self.done.append("closes")

    def abortConnection(self) -> None:
        """See `ITCPTransport`."""
        self.done.append("aborts")


class FollowingLines(DelimitedFraming):
    """A framing that notes the requests, and understands none that begin with an exclamation mark."""

    def __init__(self) -> None:
        super().__init__(100, b"\n", whole=True)
        self.follows = True
        self.noted: list[bytes] = []

    def taken(self, data: bytes, start: int, stop: int) -> None:
        """See `IStatefulFraming`."""
        if data[start:stop].startswith(b"!"):
            raise ValueError("!")
        self.noted.append(data[start:stop])


class PlayedLinkTests(SynchronousTestCase):
    """`PlayedLink`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.behind = 0
        self.looks = 0
        self.comparison = Comparison(dialects.lines())
        self.link = self.make()
        self.dialled: Deferred[Any] = Deferred()

    def make(self, framings: Callable[[], Framings] | None = None) -> PlayedLink:
        """Make a link."""
        conversation = self.comparison.conversation(RecordedLink(id=1, link=1, client_name="ann"))
        lines = dialects.lines()
        return PlayedLink(conversation, framings or (lambda: lines.framings(Limits())), self.clock, self.changed)

    def changed(self, behind: int) -> None:
        """Count."""
        self.looks += 1
        self.behind += behind

    def connect(self) -> Transport:
        """Connect the link."""
        self.link.connect(lambda link: self.dialled)
        self.assertTrue(self.link.connecting)
        self.link.makeConnection(transport := Transport())
        self.dialled.callback(self.link)
        self.assertFalse(self.link.connecting)
        return transport

    def lose(self, reason: Exception | None = None) -> None:
        """Have the connection lost."""
        self.link.connectionLost(Failure(reason or ConnectionDone()))

    def troubles(self) -> list[str]:
        """Return what is reported of the link as such."""
        return [each.text for each in self.comparison.findings.differences if each.kind is Kind.TROUBLE]

    def counts(self) -> dict[str, int]:
        """Return the counts of differences by kind."""
        return {kind.value: count for kind, count in self.comparison.findings.counts.items()}

    # -- in good order -------------------------------------------------------------------------------------------

    def test_a_conversation(self) -> None:
        """Requests are sent, it is behind until the recorded answers have come, and ends its stream at the end."""
        transport = self.connect()
        self.link.send(b"a\n", 1)
        self.link.expect(b"A\nB\n", 2)
        self.assertEqual((transport.value(), self.link.behind, self.behind), (b"a\n", 2, 2))
        self.link.dataReceived(b"A\nB")
        self.assertEqual((self.link.behind, self.behind), (1, 1))
        self.link.dataReceived(b"\n")
        self.assertEqual((self.link.behind, self.behind, self.link.came), (0, 0, 2))
        self.link.finish()
        self.assertEqual(transport.done, ["ends its stream"])
        self.assertIsNone(transport.producer)
        self.assertFalse(self.link.over)
        self.link.readConnectionLost()
        self.link.writeConnectionLost()
        self.assertEqual(transport.done, ["ends its stream", "closes"])
        self.lose()
        self.assertTrue(self.link.over)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertTrue(self.comparison.report().same)

    def test_ahead(self) -> None:
        """What comes before it would in the recording is no reason to wait later."""
        self.connect()
        self.link.dataReceived(b"A\n")
        self.assertEqual(self.behind, 0)
        self.link.expect(b"A\n", 1)
        self.link.expect(b"B\n", 2)
        self.assertEqual(self.behind, 1)

    def test_too_far_ahead(self) -> None:
        """A server that is far ahead of the recording is not read until that has caught up."""
        self.patch(played_link, "MOST_AHEAD", 2)
        transport = self.connect()
        self.link.dataReceived(b"A\nB\nC\n")
        self.assertEqual(transport.producerState, "paused")
        self.link.dataReceived(b"D\n")
        self.link.expect(b"A\n", 1)
        self.assertEqual(transport.producerState, "paused")
        self.link.expect(b"B\nC\n", 1)
        self.assertEqual(transport.producerState, "producing")
        self.link.dataReceived(b"E\nF\n")
        self.link.finish()
        self.assertEqual(transport.producerState, "producing")

    def test_a_server_that_stays(self) -> None:
        """A server that does not end its stream in time is cut off; that is no difference."""
        transport = self.connect()
        self.link.finish()
        self.link.finish()
        self.clock.advance(CLOSING_TIME)
        self.assertEqual(transport.done, ["ends its stream", "aborts"])
        self.lose(ConnectionLost())
        self.assertTrue(self.link.over)
        self.assertTrue(self.comparison.report().same)

    def test_more_at_the_end(self) -> None:
        """What the server says after the end of the stream was not recorded."""
        self.connect()
        self.link.finish()
        self.link.dataReceived(b"A\n")
        self.lose()
        self.assertEqual(self.counts(), {"extra": 1})

    def test_tls(self) -> None:
        """Over TLS, which knows no half-close, the connection is closed."""
        self.link.connect(lambda link: self.dialled)
        transport = Transport()
        alsoProvides(transport, ISSLTransport)
        self.link.makeConnection(transport)
        self.dialled.callback(None)
        self.link.finish()
        self.assertEqual((transport.done, transport.at_once), (["closes"], True))

    def test_back_pressure(self) -> None:
        """A server that reads slowly makes the link full, until it has read."""
        self.connect()
        self.link.pauseProducing()
        self.assertTrue(self.link.full)
        looks = self.looks
        self.link.resumeProducing()
        self.assertFalse(self.link.full)
        self.assertEqual(self.looks, looks + 1)
        self.link.pauseProducing()
        self.link.stopProducing()
        self.assertFalse(self.link.full)

    def test_framings_that_follow(self) -> None:
        """Framings that must know the requests are told of them; one that fails does not stop the replay."""
        made: list[FollowingLines] = []

        def framings() -> Framings:
            made.extend((FollowingLines(), FollowingLines()))
            return Framings(made[-2], made[-1])

        self.link = self.make(framings)
        transport = self.connect()
        self.link.send(b"a\n", 1)
        self.link.send(b"!\n", 2)
        self.assertEqual([framing.noted for framing in made], [[b"a\n"], [], [b"a\n"], []])
        self.assertEqual(transport.value(), b"a\n!\n")

    # -- in bad order --------------------------------------------------------------------------------------------

    def test_no_connection(self) -> None:
        """Without a connection nobody waits for the link; it is a difference, and requests are counted."""
        self.link.connect(lambda link: self.dialled)
        self.dialled.errback(error.ConnectionRefusedError())
        self.link.send(b"a\n", 1)
        self.link.expect(b"A\n", 2)
        self.assertEqual((self.link.behind, self.behind), (0, 0))
        self.link.finish()
        self.assertTrue(self.link.over)
        self.assertEqual(
            self.troubles(),
            [
                (
                    "not connected: Connection was refused by other side.; "
                    "requests not sent: 1, recorded answers not compared: 1"
                )
            ],
        )
        self.assertEqual(self.counts(), {"trouble": 1})

    def test_ends_early(self) -> None:
        """A server that ends its stream although answers are missing has ended early."""
        transport = self.connect()
        self.link.send(b"a\n", 1)
        self.link.expect(b"A\n", 2)
        self.link.readConnectionLost()
        self.assertEqual((self.behind, transport.done), (0, ["closes"]))
        self.lose()
        self.link.send(b"b\n", 3)
        self.link.acknowledge(b"c\n")
        self.link.finish()
        self.assertEqual(self.troubles(), ["ended early: by the server; requests not sent: 2"])
        self.assertEqual(self.counts(), {"trouble": 1, "missing": 1})

    def test_ends_as_recorded(self) -> None:
        """A server that ends its stream when all was said has done as recorded."""
        self.connect()
        self.link.send(b"quit\n", 1)
        self.link.dataReceived(b"bye\n")
        self.link.readConnectionLost()
        self.lose()
        self.link.expect(b"bye\n", 2)
        self.link.finish()
        self.assertTrue(self.comparison.report().same)

    def test_reset(self) -> None:
        """A reset is a loss of the connection."""
        self.connect()
        self.link.expect(b"A\n", 2)
        self.lose(ConnectionLost("reset"))
        self.link.finish()
        self.assertEqual(len(self.troubles()), 1)
        self.assertIn("connection lost: ", self.troubles()[0])
        self.assertIn("reset", self.troubles()[0])

    def test_late(self) -> None:
        """A link that is late goes on without what is missing; if nothing came since, it is given up."""
        transport = self.connect()
        self.link.expect(b"A\nB\n", 1)
        self.link.late(3)
        self.assertEqual(self.behind, 0)
        self.link.expect(b"C\n", 1)
        self.link.dataReceived(b"A\n")
        self.link.expect(b"D\n", 1)
        self.link.late(3)
        self.assertEqual((self.behind, transport.done), (0, []))
        self.link.expect(b"E\n", 1)
        self.link.late(3)
        self.assertEqual((self.behind, transport.done), (0, ["aborts"]))
        self.link.dataReceived(b"B\n")
        self.assertEqual(self.link.came, 1)
        self.lose(ConnectionLost())
        self.link.finish()
        self.assertEqual(self.troubles(), ["no answer in time: the server is silent, so the link was given up"])
        self.assertEqual(self.counts(), {"trouble": 1, "missing": 4})

    def test_acknowledgements(self) -> None:
        """An acknowledgement is sent when its message comes, as long as the link is not finished."""
        self.comparison = Comparison(dialects.mqtt())
        self.link = self.make(lambda: dialects.mqtt().framings(Limits()))
        transport = self.connect()
        publication, acknowledgement = b"\x32\x05\0\1t\0\7", b"\x40\2\0\1"
        self.link.acknowledge(acknowledgement)
        self.assertEqual(transport.value(), b"")
        self.link.dataReceived(publication)
        self.assertEqual(transport.value(), b"\x40\2\0\7")
        self.link.acknowledge(acknowledgement)
        self.link.finish()
        self.link.dataReceived(publication)
        self.assertEqual(transport.value(), b"\x40\2\0\7")

    def test_came_late(self) -> None:
        """What came late is a difference, although it is equal."""
        self.connect()
        self.link.expect(b"A\n", 1)
        self.link.late(3)
        self.link.dataReceived(b"A\n")
        self.link.finish()
        self.lose()
        self.assertEqual(self.troubles(), ["no answer in time: a message was missing after 3.0 seconds"])
        self.assertEqual(self.counts(), {"trouble": 1})

    def test_no_messages(self) -> None:
        """A server that speaks another protocol is given up."""
        self.link = self.make(lambda: dialects.int32().framings(Limits()))
        transport = self.connect()
        self.link.dataReceived(b"\0\0\0\x01a" + b"HTTP/1.1 400 Bad Request\r\n")
        self.assertEqual((self.link.came, transport.done), (1, ["aborts"]))
        self.link.finish()
        self.assertIn(Trouble.BAD_FRAMING.value, self.troubles()[0])

    def test_half_a_message(self) -> None:
        """A stream that ends inside of a message is a difference."""
        self.connect()
        self.link.dataReceived(b"A")
        self.link.finish()
        self.lose()
        self.assertEqual(self.troubles(), ["no messages of the dialect: the server's stream ended inside of a message"])

    def test_recorded_bytes_that_are_no_messages(self) -> None:
        """Recorded answers that cannot be cut are compared as they are, and this is noted."""
        self.link = self.make(lambda: dialects.int32().framings(Limits()))
        self.connect()
        self.link.expect(b"SSSSSS", 1)
        self.link.send(b"request", 1)
        self.link.expect(b"more", 1)
        self.assertEqual(self.behind, 2)
        self.assertEqual(sum(self.comparison.findings.notes.values()), 1)

    def test_abort_while_connecting(self) -> None:
        """A link that is being connected can be stopped."""
        self.link.connect(lambda link: self.dialled)
        self.link.abort()
        self.assertFalse(self.link.connecting)
        self.link.abort()
        self.link.finish()
        self.assertTrue(self.link.over)
