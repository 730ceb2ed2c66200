"""What connects to the server."""

from __future__ import annotations

from typing import Any

from twisted.internet import error as internet_error
from twisted.internet.defer import CancelledError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._sockets.dialling import HEAD_START, AtAddress
from twisted_repeater._sockets.endpoints import dialler

from ..peers import reactor
from .endpoints_case import NO_IPV6, EndpointsCase, Named, Names


class HostNameTests(EndpointsCase):
    """A server at a host name: every address that the name has is tried."""

    async def dial_both_ways(self, number: int) -> None:
        """Connect by a description and by a name and a port."""
        await self.dial("ann", f"tcp:quotes.example:{number}")
        await self.dial("bob", ip="quotes.example", port=number)
        self.assertEqual(self.asked, ["quotes.example", "quotes.example"])

    async def test_first_refuses(self) -> None:
        """Where the first address refuses, the next is dialled at once."""
        number = await self.serve()
        self.resolve("127.0.0.2", "127.0.0.1")
        await self.dial_both_ways(number)

    async def test_ipv6(self) -> None:
        """A name may have IPv6 addresses, alone or with others."""
        number = await self.serve("::1")
        for addresses in (("::1",), ("127.0.0.1", "::1")):
            self.resolve(*addresses)
            await self.dial_both_ways(number)

    test_ipv6.skip = NO_IPV6  # type: ignore[attr-defined]

    async def test_none_answers(self) -> None:
        """If every address refuses, the last error is the result; if the name has no address, the error says so."""
        number = await self.serve()
        self.resolve("127.0.0.2", "127.0.0.3")
        for where in ((f"tcp:quotes.example:{number}", None, None), (None, "quotes.example", number)):
            await self.assertFailure(dialler(reactor, 30, Named, *where)("ann"), internet_error.ConnectionRefusedError)
        self.resolve()
        dialled = dialler(reactor, 30, Named, None, "quotes.example", number)("ann")
        failure = await self.assertFailure(dialled, internet_error.DNSLookupError)
        self.assertIn("quotes.example", str(failure))

    async def test_arguments(self) -> None:
        """A description's ``bindAddress`` is where the connection comes from, and its ``timeout`` is kept."""
        number = await self.serve()
        self.resolve("127.0.0.1")
        await self.dial("ann", f"tcp:quotes.example:port={number}:bindAddress=127.0.0.3:timeout=5")
        self.assertEqual(self.server.peers[0].transport.getPeer().host, "127.0.0.3")
        memory = MemoryReactorClock()
        memory.installNameResolver(Names(["192.0.2.1", "2001:db8::1"], self.asked))
        dialled = dialler(memory, 30, Named, "tcp:quotes.example:9001:timeout=5:bindAddress=192.0.2.9", None, None)("a")
        host, port, _, timeout, bind = memory.tcpClients[0]
        self.assertEqual((host, port, timeout, bind), ("192.0.2.1", 9001, 5, ("192.0.2.9", 0)))
        dialled.addErrback(lambda failure: None).cancel()


class RaceTests(SynchronousTestCase):
    """The addresses of a name, in a reactor in memory."""

    def setUp(self) -> None:
        """Dial a name with three addresses."""
        self.reactor = MemoryReactorClock()
        self.reactor.installNameResolver(Names(["192.0.2.1", "2001:db8::1", "192.0.2.3"], []))
        self.dialled = dialler(self.reactor, 10, Named, None, "quotes.example", 9001)("ann")

    def hosts(self) -> list[str]:
        """Return the hosts dialled so far."""
        return [host for host, *_ in self.reactor.tcpClients]

    def answer(self, index: int) -> StringTransport:
        """Let an attempt succeed."""
        transport = StringTransport()
        factory: Any = self.reactor.tcpClients[index][2]
        factory.buildProtocol(None).makeConnection(transport)
        return transport

    def assert_nothing_left(self, *gone: int) -> None:
        """See that these attempts were given up and that no timer is left."""
        for index in gone:
            self.assertTrue(self.reactor.connectors[index].stoppedConnecting)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_silent_address(self) -> None:
        """An address that says nothing is joined by the next; who answers first is taken, the others are given up."""
        self.assertEqual(self.hosts(), ["192.0.2.1"])
        self.reactor.advance(HEAD_START)
        self.reactor.advance(HEAD_START)
        self.assertEqual(self.hosts(), ["192.0.2.1", "2001:db8::1", "192.0.2.3"])
        self.answer(1)
        self.assertIsInstance(self.successResultOf(self.dialled), Named)
        self.assert_nothing_left(0, 2)

    def test_cancelled(self) -> None:
        """Nothing is left of a dial that is cancelled."""
        self.reactor.advance(HEAD_START)
        self.dialled.cancel()
        self.failureResultOf(self.dialled, CancelledError)
        self.assert_nothing_left(0, 1)
        self.reactor.advance(10)
        self.assertEqual(len(self.hosts()), 2)

    def test_one_refuses_late(self) -> None:
        """An address that refuses when all are being tried leaves it to the others; the last error is the result."""
        self.reactor.pump([HEAD_START, HEAD_START])
        factories: list[Any] = [factory for _, _, factory, *_ in self.reactor.tcpClients]
        for index, factory in enumerate(factories):
            self.assertNoResult(self.dialled)
            factory.clientConnectionFailed(None, Failure(internet_error.ConnectionRefusedError(string=str(index))))
        failure = self.failureResultOf(self.dialled, internet_error.ConnectionRefusedError)
        self.assertEqual(failure.value.args, ("2",))
        self.assert_nothing_left()

    def test_too_late(self) -> None:
        """Nothing is left of a dial that took too long."""
        self.reactor.pump([HEAD_START, HEAD_START, 10])
        self.failureResultOf(self.dialled, internet_error.TimeoutError)
        self.assert_nothing_left(0, 1, 2)

    def test_cancelled_early(self) -> None:
        """A dial that is cancelled while the name is looked up dials nobody when the answer comes."""
        names = Names(["192.0.2.1"], [], later=True)
        self.reactor.installNameResolver(names)
        dialled = dialler(self.reactor, 10, Named, "tcp:quotes.example:9001", None, None)("ann")
        dialled.cancel()
        self.failureResultOf(dialled, CancelledError)
        before = self.hosts()
        names.answer()
        self.assertEqual(self.hosts(), before)
        self.dialled.cancel()
        self.failureResultOf(self.dialled, CancelledError)
        self.assert_nothing_left(0)


class AddressTests(SynchronousTestCase):
    """A server at an address, in a reactor in memory."""

    def setUp(self) -> None:
        """Dial it."""
        self.reactor = MemoryReactorClock()
        self.ann = Named("ann")
        address = AtAddress(self.reactor, "192.0.2.1", 9001, 5, ("192.0.2.9", 0))
        self.dialled = address.dial(self.ann, 30)
        self.factory: Any = self.reactor.tcpClients[0][2]

    def test_arguments(self) -> None:
        """The shorter timeout holds, and the connection comes from the address that is asked for."""
        host, port, _, timeout, bind = self.reactor.tcpClients[0]
        self.assertEqual((host, port, timeout, bind), ("192.0.2.1", 9001, 5, ("192.0.2.9", 0)))
        dialler(self.reactor, 3, Named, "tcp:192.0.2.2:9001:timeout=5", None, None)("bob")
        self.assertEqual(self.reactor.tcpClients[1][3], 3)

    def test_connected(self) -> None:
        """The transport knows the protocol itself, with nothing between them, before the Deferred fires."""
        transport: Any = StringTransport()
        self.factory.buildProtocol(None).makeConnection(transport)
        self.assertIs(transport.protocol, self.ann)
        self.assertIs(self.successResultOf(self.dialled), self.ann)

    def test_failed(self) -> None:
        """The reactor's error is the result."""
        self.factory.clientConnectionFailed(None, Failure(internet_error.ConnectionRefusedError()))
        self.failureResultOf(self.dialled, internet_error.ConnectionRefusedError)

    def test_cancelled(self) -> None:
        """A dial that is cancelled stops, and what the reactor says to that is of no interest."""
        self.dialled.cancel()
        self.failureResultOf(self.dialled, internet_error.ConnectingCancelledError)
        self.assertTrue(self.reactor.connectors[0].stoppedConnecting)
        self.factory.clientConnectionFailed(None, Failure(internet_error.UserError()))

    def test_cancelled_while_connecting(self) -> None:
        """A protocol may cancel the dial as it is connected."""
        self.ann.connectionMade = lambda: self.dialled.cancel()  # type: ignore[method-assign]
        self.factory.buildProtocol(None).makeConnection(StringTransport())
        self.failureResultOf(self.dialled, internet_error.ConnectingCancelledError)
