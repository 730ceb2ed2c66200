"""The numbers of FIX between scripted peers, on real sockets: what QuickFIX does not do, or does only by chance."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.ssl import optionsForClientTLS, trustRootFromCertificates

from twisted_repeater import Link
from twisted_repeater.dialects.fix import NewOrderSingle
from twisted_repeater.verdicts import DO_NOTHING, PASS_ON, SendBack, Verdict

from ..certificates import Authority
from ..peers import reactor
from .fix_case import FixCase, Peer, PeerServer
from .fix_engines import Line
from .fix_filters import on_orders
from .quickfix.judged_orders import refusal

AGAIN = ((43, "Y"), (122, "20260101-00:00:00"))


def order(number: object) -> tuple[tuple[int, object], ...]:
    """Return the fields of an order."""
    return (11, number), (55, "ACME"), (54, 1), (38, 100)


def refuse_odd(message: NewOrderSingle, link: Link) -> Verdict:
    """Refuse odd orders, drop those above 100."""
    number = int(message[11])
    if number > 100:
        return DO_NOTHING
    return SendBack([refusal(message)]) if number % 2 else PASS_ON


class ScriptedTests(FixCase):
    """A client and a server that do what a test says."""

    client: Peer
    server: Peer

    async def begin(self, **settings: Any) -> None:
        """Log on, and send orders 3 and 4 under the numbers 2 and 3: one is refused, the other one reported."""
        settings.setdefault("to_server_filter", on_orders(refuse_odd))
        self.client, self.server = await self.scripted(**settings)
        self.client.say("D", 2, *order(3))
        self.client.say("D", 3, *order(4))
        await self.server_hears(("A", 1), ("4", 2), ("D", 3))
        self.server.say("8", 2, (11, 4), (37, 1), (17, 1))
        await self.client_hears(("A", 1), ("8", 2), ("8", 3))

    async def server_hears(self, *messages: tuple[str, int]) -> list[Line]:
        """Wait until the server has heard so many messages; check their types and numbers."""
        return await self.has_heard(self.server, messages)

    async def client_hears(self, *messages: tuple[str, int]) -> list[Line]:
        """Do the same for the client."""
        return await self.has_heard(self.client, messages)

    async def has_heard(self, peer: Peer, messages: tuple[tuple[str, int], ...]) -> list[Line]:
        """Check all messages of a peer; forget them."""
        lines = await self.hears(peer, len(messages))
        self.assertEqual([(line.type, line.number) for line in lines], list(messages), lines)
        peer.heard = b""
        return lines

    async def log_on_again(self, number: int, *fields: tuple[int, object], answer: int, **more: Any) -> None:
        """Let the client come back, and the server answer."""
        await self.leave(self.client)
        await self.until(lambda: self.server.is_gone)
        await self.nothing_left(self.repeater)
        self.client = await self.scripted_client(self.repeater.port)
        self.client.log_on(number, *fields)
        await self.until(lambda: len(self.scripted_peers) == 2 and bool(self.scripted_peers[1].lines))
        self.server = self.scripted_peers[1]
        self.server.log_on(answer, *more.get("answers", ()))

    async def test_resend_of_dropped(self) -> None:
        """A range of messages that were all dropped or added is answered by the repeater; the sender never hears."""
        await self.begin()
        self.server.say("2", 3, (7, 2), (16, 2))
        (fill,) = await self.server_hears(("4", 2))
        self.assertEqual((fill.get(36), fill.get(123), fill.is_again), ("3", "Y", True))
        self.client.say("2", 4, (7, 2), (16, 2))
        fill, again = await self.client_hears(("4", 4), ("8", 2))  # the server's request is a gap for the client
        self.assertEqual((fill.get(36), fill.is_again), ("5", False))
        self.assertEqual((again.get(39), again.is_again, bool(again.get(122))), ("8", True, True))
        self.client.say("D", 5, *order(6))
        lines = await self.server_hears(("4", 4), ("D", 5))
        self.assertEqual(lines[0].get(36), "5")

    async def test_resend_beyond(self) -> None:
        """A range may end beyond the last message, or at 0. In FIX 4.4, 999999 is a number as any other."""
        await self.begin()
        for number, end in enumerate((0, 999999, 17), 4):
            self.client.say("2", number, (7, 3), (16, end))
            (line,) = await self.server_hears(("2", number))
            self.assertEqual(line.get(7), "2")
            self.assertEqual(line.get(16), {0: "0", 999999: "999998", 17: "16"}[end])
            self.server.say("8", 2, *AGAIN, (11, 4), (37, 1), (17, 1))
            (line,) = await self.client_hears(("8", 3))

    async def test_possible_duplicate(self) -> None:
        """A message that comes again is decided as before, without asking the filter."""
        asked: list[bytes] = []

        def decide(message: NewOrderSingle, link: Link) -> Verdict:
            asked.append(message[11])
            return refuse_odd(message, link)

        await self.begin(to_server_filter=on_orders(decide))
        self.client.say("D", 2, *AGAIN, *order(3))
        self.client.say("D", 3, *AGAIN, *order(4))
        self.client.say("D", 4, *order(6))
        await self.until(lambda: len(self.server.lines) >= 2)
        last = self.server.lines[-1]
        self.assertEqual((last.type, last.number, last.get(11)), ("D", 4, "6"))
        self.assertEqual(asked, [b"3", b"4", b"6"])
        self.assertEqual(self.client.lines, [])

    async def test_next_expected(self) -> None:
        """NextExpectedMsgSeqNum is translated, and what it asks for is resent without a ResendRequest."""
        await self.begin()
        # The client has lost the refusal (2) and the report (3); the server has seen all.
        await self.log_on_again(4, (789, 2), answer=3, answers=[(789, 5)])
        (logon,) = await self.server_hears(("A", 4))
        self.assertEqual(logon.get(789), "2")
        self.server.say("8", 2, *AGAIN, (11, 4), (37, 1), (17, 1))
        lines = await self.client_hears(("A", 4), ("8", 2), ("8", 3))
        self.assertEqual([line.get(789) for line in lines[:1]], ["5"])
        self.assertTrue(all(line.is_again for line in lines[1:]))

    async def test_reset(self) -> None:
        """After a SequenceReset without GapFillFlag the numbers go on where it says."""
        await self.begin()
        self.client.say("4", 4, (36, 20))
        (reset,) = await self.server_hears(("4", 4))
        self.assertEqual((reset.get(36), reset.get(123)), ("20", ""))
        self.client.say("D", 20, *order(22))
        await self.server_hears(("D", 20))
        self.server.say("4", 3, (36, 30), (123, "N"))
        (reset,) = await self.client_hears(("4", 4))
        self.assertEqual(reset.get(36), "31")
        self.server.say("8", 30, (11, 22), (37, 1), (17, 1))
        await self.client_hears(("8", 31))

    async def test_reset_flag(self) -> None:
        """ResetSeqNumFlag counts only when the server has answered by it."""
        await self.begin()
        await self.log_on_again(1, (141, "Y"), answer=1, answers=[(141, "Y")])
        await self.server_hears(("A", 1))
        await self.client_hears(("A", 1))
        self.client.say("D", 2, *order(2))
        await self.server_hears(("D", 2))

    async def test_reset_flag_in_vain(self) -> None:
        """A server that answers ResetSeqNumFlag by a Logout leaves the numbers as they were."""
        await self.begin()
        await self.leave(self.client)
        await self.until(lambda: self.server.is_gone)
        await self.nothing_left(self.repeater)
        self.client = await self.scripted_client(self.repeater.port)
        self.client.log_on(1, (141, "Y"))
        await self.until(lambda: len(self.scripted_peers) == 2 and bool(self.scripted_peers[1].lines))
        self.scripted_peers[1].say("5", 3, (58, "no resets"))
        (logout,) = await self.client_hears(("5", 4))
        self.assertEqual(logout.get(58), "no resets")
        await self.leave(self.client)
        await self.nothing_left(self.repeater)
        self.client = await self.scripted_client(self.repeater.port)
        self.client.log_on(4)
        await self.until(lambda: len(self.scripted_peers) == 3 and bool(self.scripted_peers[2].lines))
        self.server = self.scripted_peers[2]
        await self.server_hears(("A", 4))
        self.server.log_on(4)
        await self.client_hears(("A", 5))

    async def test_owed_with_heartbeat(self) -> None:
        """The gap of dropped messages is told as soon as the receiver says anything."""
        await self.begin()
        for number in range(4, 14):
            self.client.say("D", number, *order(number + 100))
        self.server.say("0", 3)
        (fill,) = await self.server_hears(("4", 4))
        self.assertEqual((fill.get(36), fill.get(123), fill.is_again), ("14", "Y", False))
        await self.client_hears(("0", 4))

    async def test_two_sessions(self) -> None:
        """Sessions have numbers of their own, and their links do not touch each other."""
        await self.begin()
        other = await self.scripted_client(self.repeater.port)
        other.header = {"sender": "OTHER"}
        other.log_on()
        await self.until(lambda: len(self.scripted_peers) == 2 and bool(self.scripted_peers[1].lines))
        server = self.scripted_peers[1]
        server.header = {"sender": "SELLER", "target": "OTHER"}
        server.log_on()
        await self.has_heard(other, (("A", 1),))
        other.say("D", 2, *order(2))
        await self.has_heard(server, (("A", 1), ("D", 2)))
        server.say("8", 2, (11, 2), (37, 1), (17, 1))
        await self.has_heard(other, (("8", 2),))
        self.server.say("8", 3, (11, 4), (37, 1), (17, 2))
        await self.client_hears(("8", 4))

    async def test_same_session_elsewhere(self) -> None:
        """A session has one link at a time."""
        await self.begin()
        other = await self.scripted_client(self.repeater.port)
        other.log_on()
        await self.until(lambda: other.is_gone)
        self.assertEqual(other.heard, b"")
        self.server.say("8", 3, (11, 4), (37, 1), (17, 2))
        await self.client_hears(("8", 4))


class TlsTests(FixCase):
    """TLS on both sides."""

    async def test_both_sides(self) -> None:
        """Engines that speak TLS are linked, and a refusal is answered."""
        self.addCleanup(self.flushWarnings)  # pyOpenSSL warns of what Twisted does
        authority = Authority(self.directory / "tls")
        issued = authority.issue("localhost")
        server = PeerServer()
        port: Any = reactor.listenSSL(0, server, issued.load().options(), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        listened = await self.repeat(
            port.getHost().port,
            listen=f"ssl:0:interface=127.0.0.1:privateKey={issued.key}:certKey={issued.certificate}",
            server=f"tls:localhost:{port.getHost().port}:trustRoots={self.directory / 'tls'}",
            to_server_filter=on_orders(refuse_odd),
        )
        options = optionsForClientTLS("localhost", trustRoot=trustRootFromCertificates([authority.load()]))
        client = Peer()
        await connectProtocol(wrapClientTLS(options, TCP4ClientEndpoint(reactor, "127.0.0.1", listened)), client)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.leave(client)))
        client.log_on()
        await self.hears(server, 1)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.leave(server.peers[0])))
        server.peers[0].log_on()
        await self.hears(client, 1)
        client.say("D", 2, *order(3))
        client.say("D", 3, *order(4))
        self.assertEqual([line.type for line in await self.hears(server, 3)], ["A", "4", "D"])
        self.assertEqual([line.get(39) for line in await self.hears(client, 2)], ["", "8"])
