"""The lines that `LogObserver` writes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from twisted_repeater import (
    CallbackFailed,
    ClientNotAllowed,
    Close,
    ConnectingError,
    Disconnected,
    DuplicateClient,
    IIdentityObserver,
    InjectedFault,
    ParseError,
    Side,
)
from twisted_repeater._text import address_text, printable
from twisted_repeater.observers import LogObserver

from ..logged import lines_logged
from ..peers import PeerCase, hello
from ..unprintable import Mute


class LogCase(PeerCase):
    """A test case that records what an observer logs."""

    def setUp(self) -> None:
        """Record."""
        self.lines = lines_logged(self, "twisted_repeater.observers._log")

    def line(self, number: int) -> Deferred[Any]:
        """Fire when there are so many lines."""
        return self.lines.reach(number)


class LinkTests(LogCase):
    """A link from its beginning to its end."""

    def test_interface(self) -> None:
        """It provides the interface."""
        verifyObject(IIdentityObserver, LogObserver(Clock()))

    async def test_made_and_ended(self) -> None:
        """A line says who is linked to whom, another who left, why, and how much went each way."""
        world = await self.world(observers=[LogObserver(Clock())])
        client, peer = await world.linked("ann")
        client.send(b"one", b"two")
        await peer.seen.reach(3)
        peer.send(b"three")
        await client.seen.reach(2)
        here = client.transport.getHost()
        there = world.server_port.getHost()
        made = f"client 'ann' linked: from 127.0.0.1:{here.port} to server 'quotes' at 127.0.0.1:{there.port}"
        self.assertEqual(self.lines, [made])
        client.close()
        await self.line(2)
        self.assertEqual(
            self.lines[1],
            "client 'ann' ended: the client left: end of stream: Connection was closed cleanly; "
            "to the server 2 messages, 14 bytes; to the client 1 messages, 9 bytes",
        )

    def test_no_server_name(self) -> None:
        """Where the server has no name, the line has none."""
        here, there = IPv4Address("TCP", "127.0.0.1", 9), IPv4Address("TCP", "127.0.0.1", 10)
        link: Any = SimpleNamespace(id=7, client_name="ann", client_address=here, server_name="", server_address=there)
        LogObserver(Clock()).link_made(link)
        self.assertEqual(self.lines, ["client 'ann' linked: from 127.0.0.1:9 to the server at 127.0.0.1:10"])

    def test_fault(self) -> None:
        """If a fault ends a link, the line does not say that a side has left."""
        link: Any = SimpleNamespace(id=7, client_name="ann", received=lambda direction: (1, 17))
        error = Disconnected(InjectedFault("the fault 'resets' has ended it: ResetPeer()"))
        error.side = Side.CLIENT
        LogObserver(Clock()).link_ended(link, error)
        self.assertIn("client 'ann' ended: the fault 'resets' has ended it: ResetPeer(); to the server", self.lines[0])

    async def test_cut_off(self) -> None:
        """A client that sends bytes that are not a frame is cut off; one that ends within a frame has left."""
        world = await self.world(observers=[LogObserver(Clock())])
        for name, data, told in (
            ("ann", b"\xff" * 4, "the client was cut off: frame of 4294967295 bytes"),
            ("bob", b"\0", "the client left: end of stream: the stream ended inside a frame"),
        ):
            self.lines.clear()
            client, _ = await world.linked(name)
            client.write(data)
            if name == "bob":
                client.close()
            await self.line(2)
            self.assertIn(f"client {name!r} ended: {told}", self.lines[1])

    async def test_closed_here(self) -> None:
        """A link that the application closes was closed by the repeater; with an error, the line has the error."""
        world = await self.world(
            observers=[LogObserver(Clock())], to_server_filter=lambda message, link: Close(ValueError("too much"))
        )
        await world.linked("ann")
        world.repeater.close_connection_from_client("ann")
        bob, _ = await world.linked("bob")
        bob.send(b"more")
        await self.line(4)
        self.assertTrue(any(line.startswith("client 'ann' ended: closed by the repeater; ") for line in self.lines))
        self.assertTrue(any(line.startswith("client 'bob' ended: ValueError: too much; ") for line in self.lines))

    async def test_identified(self) -> None:
        """A line has the old name and the new one."""
        clock: Any = Clock()
        observer = LogObserver(clock)
        link: Any = SimpleNamespace(id=7, client_name="bob" * 1000)
        observer.link_identified(link, "127.0.0.1:4711")
        self.assertIn("client '127.0.0.1:4711' is now 'bobbob", self.lines[0])
        self.assertLess(len(self.lines[0]), 300)
        for _ in range(1500):
            observer.link_identified(link, "ann")
        self.assertEqual(len(self.lines), 1000)

    async def test_refused(self) -> None:
        """A line says who was refused, from where, and why; before its hello a client has no name."""
        world = await self.world(observers=[LogObserver(Clock())], is_client_allowed=lambda name: False)
        eve = await world.connect(hello("eve\n"))
        await self.line(1)
        port = eve.transport.getHost().port
        told = f"client 'eve\\n' from 127.0.0.1:{port} refused: ClientNotAllowed: client 'eve\\n' is not allowed"
        self.assertEqual(self.lines, [told])
        stranger = await world.connect(b"\0\0\0\1[")
        await self.line(2)
        port = stranger.transport.getHost().port
        self.assertTrue(self.lines[1].startswith(f"client of unknown name from 127.0.0.1:{port} refused: InvalidHello"))

    def test_long_names(self) -> None:
        """A name as long as a hello doesn't make a line of that length."""
        error = ClientNotAllowed(f"client {'x' * 60_000!r} is not allowed")
        LogObserver(Clock()).link_refused("\x7f" * 60_000, error)
        self.assertLess(len(self.lines[0]), 1500)
        self.assertIn("... (60000 characters)' from None refused: ClientNotAllowed: client 'xxx", self.lines[0])

    def test_refused_at_no_address(self) -> None:
        """A refusal without an address is logged too."""
        LogObserver(Clock()).link_refused("ann", ClientNotAllowed("not now"))
        self.assertEqual(self.lines, ["client 'ann' from None refused: ClientNotAllowed: not now"])


class ManyTests(LogCase):
    """What strangers can bring about as often as they like."""

    def setUp(self) -> None:
        """Make an observer with a clock of its own."""
        super().setUp()
        self.clock = Clock()
        self.observer = LogObserver(self.clock)

    def refuse(self, kind: type[ConnectingError], times: int) -> list[str]:
        """Refuse clients; gives the lines."""
        self.lines.clear()
        for number in range(times):
            self.observer.link_refused(f"c{number}", kind("not now"))
        return list(self.lines)

    def test_refused(self) -> None:
        """Of each kind of refusal some are logged at once, then one a second, with the number of the others."""
        self.assertEqual(len(self.refuse(ClientNotAllowed, 5000)), 20)
        self.assertEqual(len(self.refuse(DuplicateClient, 5)), 5)
        self.clock.advance(1)
        told = "client 'c0' from None refused: ClientNotAllowed: not now (and 4980 more since the last such line)"
        self.assertEqual(self.refuse(ClientNotAllowed, 300), [told])

    def test_made_and_ended(self) -> None:
        """All links of a repeater that is full may come and go at once; if strangers go on, one of many is logged."""
        link: Any = SimpleNamespace(
            id=7,
            client_name="ann",
            client_address=None,
            server_name="quotes",
            server_address=None,
            received=lambda direction: (0, 0),
        )
        for _ in range(5000):
            self.observer.link_made(link)
            self.observer.link_ended(link, None)
        self.assertEqual([sum(word in line for line in self.lines) for word in ("linked", "ended")], [1000, 1000])
        self.lines.clear()
        for _ in range(100):
            self.clock.advance(1 / 64)
            self.observer.link_made(link)
            self.observer.link_ended(link, None)
        self.assertEqual(len(self.lines), 2 * 7)
        made, ended = self.lines[:2]
        self.assertTrue(made.endswith("at None (and 4012 more since the last such line)"), made)
        self.assertTrue(ended.endswith("0 messages, 0 bytes (and 4012 more since the last such line)"), ended)

    def test_long_names(self) -> None:
        """No line of a link is long, whatever the names of its peers."""
        link: Any = SimpleNamespace(
            id=7,
            client_name="\x7f" * 60_000,
            client_address=None,
            server_name="\x7f" * 60_000,
            server_address=None,
            received=lambda direction: (0, 0),
        )
        self.observer.link_made(link)
        self.observer.link_error(link, Side.CLIENT, ParseError("x" * 60_000))
        self.observer.link_ended(link, ValueError("x" * 60_000))
        self.assertEqual(len(self.lines), 3)
        self.assertLess(max(map(len, self.lines)), 2200)


class TroubleTests(LogCase):
    """Trouble on a link."""

    def setUp(self) -> None:
        """Make an observer with a clock of its own."""
        super().setUp()
        self.clock = Clock()
        self.observer = LogObserver(self.clock)

    def trouble(self, error: Exception, client_name: str = "ann") -> None:
        """Tell the observer of trouble."""
        link: Any = SimpleNamespace(id=7, client_name=client_name)
        self.observer.link_error(link, Side.SERVER, error)

    def test_told(self) -> None:
        """The line has the client, the side and the error."""
        self.trouble(ParseError("no\nway"))
        self.assertEqual(self.lines, ["client 'ann', server side: ParseError: no\\nway"])

    def test_unprintable(self) -> None:
        """An error that cannot be printed is logged with the name of its class."""

        class Strange(Mute, ParseError):
            """An error of a codec's own."""

        self.trouble(Strange("no way"))
        self.assertEqual(self.lines, ["client 'ann', server side: Strange: <ValueError raised by its __str__>"])

    def test_told_elsewhere(self) -> None:
        """The loss of a side is logged when the link ends, and the failure of a filter by the repeater."""
        self.trouble(Disconnected(ConnectionDone()))
        self.trouble(CallbackFailed("filter f", 1, ValueError()))
        self.assertEqual(self.lines, [])

    def test_not_too_often(self) -> None:
        """Of each kind there is at most one line a second; the next says how many there were in between."""
        for _ in range(1000):
            self.trouble(ParseError("bad"))
        self.trouble(ValueError("of another kind"))
        self.assertEqual(len(self.lines), 2)
        self.clock.advance(1)
        self.trouble(ParseError("bad again"), "bob")
        told = "client 'bob', server side: ParseError: bad again (and 999 more since the last such line)"
        self.assertEqual(self.lines[2:], [told])
        self.clock.advance(1)
        self.trouble(ParseError("bad"))
        self.assertEqual(self.lines[3:], ["client 'ann', server side: ParseError: bad"])


class TextTests(LogCase):
    """Words of strangers."""

    def test_printable(self) -> None:
        """What would break a line, change a terminal or not be written at all is escaped; letters stay."""
        self.assertEqual(printable("zażółć\r\n\x1b[2J\u2028\udc80\0"), "zażółć\\r\\n\\x1b[2J\\u2028\\udc80\\x00")

    def test_addresses(self) -> None:
        """Addresses of every family are written as usual, and on one line: a PROXY header may say anything."""
        for address, text in [
            (IPv4Address("TCP", "127.0.0.1", 80), "127.0.0.1:80"),
            (IPv6Address("TCP", "::1", 80), "[::1]:80"),
            (IPv4Address("TCP", "a\nb", 80), "a\\nb:80"),
            (IPv6Address("TCP", "a\x1b[2J", 80), "[a\\x1b[2J]:80"),
            (UNIXAddress(b"/run/a\nb"), "unix:/run/a\\nb"),
            (UNIXAddress(None), "unix:"),
        ]:
            self.assertEqual(address_text(address), text)
