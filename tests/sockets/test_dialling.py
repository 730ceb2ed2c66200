"""What connects to the server."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from typing import Any

from twisted.internet import error as internet_error
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_repeater._sockets.dialling import HEAD_START, AtAddress, ServerEndpoint, Through
from twisted_repeater._sockets.endpoints import dialler

from ..certificates import Authority
from ..peers import StoppedTime, hello, reactor
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
        """If every address refuses, the error names each; if the name has no address, the error says so."""
        number = await self.serve()
        self.resolve("127.0.0.2", "127.0.0.3")
        for where in ((f"tcp:quotes.example:{number}", None, None), (None, "quotes.example", number)):
            dialled = dialler(reactor, 30, Named, *where)("ann")
            failure = await self.assertFailure(dialled, internet_error.ConnectionRefusedError)
            self.assertIn(": 127.0.0.2: Connection refused, 127.0.0.3: Connection refused.", str(failure))
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
        """An address that refuses when all are being tried leaves it to the others; the error names all."""
        self.reactor.pump([HEAD_START, HEAD_START])
        factories: list[Any] = [factory for _, _, factory, *_ in self.reactor.tcpClients]
        for index, factory in enumerate(factories):
            self.assertNoResult(self.dialled)
            factory.clientConnectionFailed(None, Failure(internet_error.ConnectionRefusedError(index + 1)))
        failure = self.failureResultOf(self.dialled, internet_error.ConnectionRefusedError)
        one, two, three = map(os.strerror, (1, 2, 3))
        self.assertEqual(failure.value.args, (f"192.0.2.1: {one}, 2001:db8::1: {two}, 192.0.2.3: {three}",))
        self.assert_nothing_left()

    def fail_each(self, *errors: BaseException) -> Any:
        """Let the addresses fail, one after the other, each at once; return the error of the dial."""
        for index, failure in enumerate(errors):
            factory: Any = self.reactor.tcpClients[index][2]
            factory.clientConnectionFailed(None, Failure(failure))
        return self.failureResultOf(self.dialled).value

    def test_refused_at_once(self) -> None:
        """An address that fails at once costs no time, and errors of several kinds make a general one."""
        failure = self.fail_each(
            internet_error.ConnectionRefusedError(111), internet_error.TimeoutError(), internet_error.BindError()
        )
        self.assertIs(type(failure), internet_error.ConnectError)
        self.assertRegex(str(failure), "192.0.2.1: Connection refused, 2001:db8::1: no answer, 192.0.2.3: An error")
        self.assert_nothing_left()

    def test_other_errors(self) -> None:
        """Errors that are not about connecting make one that is."""
        failure = self.fail_each(*[ValueError("odd")] * 3)
        self.assertIs(type(failure), internet_error.ConnectError)
        self.assertIn("192.0.2.3: odd", str(failure))

    def test_too_late(self) -> None:
        """Nothing is left of a dial that took too long."""
        self.reactor.pump([HEAD_START, HEAD_START, 10])
        failure = self.failureResultOf(self.dialled, internet_error.TimeoutError)
        self.assertIn("not connected within 10 seconds: 192.0.2.1: no answer, 2001:db8::1: no", str(failure.value))
        self.assert_nothing_left(0, 1, 2)

    def test_no_addresses_in_time(self) -> None:
        """A name whose addresses are not found in time is told as such."""
        names = Names(["192.0.2.1"], [], later=True)
        self.reactor.installNameResolver(names)
        dialled = dialler(self.reactor, 10, Named, "tcp:quotes.example:9001", None, None)("ann")
        self.reactor.advance(10)
        failure = self.failureResultOf(dialled, internet_error.TimeoutError)
        self.assertIn("the addresses of 'quotes.example' are still being looked up", str(failure.value))
        self.failureResultOf(self.dialled)

    def test_families_alternate(self) -> None:
        """IPv4 and IPv6 are tried in turn, whatever order the system has; the first address stays the first."""
        for addresses in ((4, 4, 4, 6), (6, 6, 4), (4, 4), (6,)):
            texts = [f"192.0.2.{n}" if kind == 4 else f"2001:db8::{n}" for n, kind in enumerate(addresses)]
            memory = MemoryReactorClock()
            memory.installNameResolver(Names(texts, []))
            dialled = dialler(memory, 10, Named, "tcp:quotes.example:9001", None, None)("ann")
            memory.pump([HEAD_START] * len(texts))
            tried = [host for host, *_ in memory.tcpClients]
            self.assertEqual(sorted(tried), sorted(texts))
            self.assertEqual(tried[0], texts[0])
            kinds = [":" in host for host in tried]
            turns = min(kinds.count(True), kinds.count(False))
            self.assertEqual(kinds[: 2 * turns], [kinds[0], not kinds[0]] * turns)
            dialled.addErrback(lambda failure: None).cancel()

    def test_many_addresses(self) -> None:
        """The error about a name with very many addresses names the first ones only."""
        memory = MemoryReactorClock()
        memory.installNameResolver(Names([f"192.0.2.{n}" for n in range(1, 21)], []))
        dialled = dialler(memory, 10, Named, "tcp:quotes.example:9001", None, None)("ann")
        for index in range(20):
            factory: Any = memory.tcpClients[index][2]
            factory.clientConnectionFailed(None, Failure(internet_error.TimeoutError()))
        failure = self.failureResultOf(dialled, internet_error.TimeoutError)
        self.assertRegex(failure.value.args[0], "192.0.2.8: no answer, and 12 more$")

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

    def test_first_bytes(self) -> None:
        """Bytes that come first are written before the protocol knows of the connection, whatever the transport."""
        address = AtAddress(self.reactor, "192.0.2.1", 9001)
        dialled = address.dial(self.ann, 30, b"first")
        transport = StringTransport()
        factory: Any = self.reactor.tcpClients[1][2]
        factory.buildProtocol(None).makeConnection(transport)
        self.assertIs(self.successResultOf(dialled), self.ann)
        self.assertTrue(transport.value().startswith(b"first"))

    def test_as_an_endpoint(self) -> None:
        """It is an endpoint like others, too, for code that wants one."""
        dialled = AtAddress(self.reactor, "192.0.2.1", 9001).connect(Factory.forProtocol(lambda: self.ann))
        factory: Any = self.reactor.tcpClients[1][2]
        factory.buildProtocol(None).makeConnection(StringTransport())
        self.assertIs(self.successResultOf(dialled), self.ann)
        self.assertRaises(NotImplementedError, ServerEndpoint(self.reactor).dial, self.ann, 1)


class OtherServerTests(EndpointsCase):
    """Servers that are not reached by TCP alone."""

    async def test_unix(self) -> None:
        """A path is a Unix socket."""
        path = tempfile.mkdtemp(prefix="repeater-")
        self.addCleanup(shutil.rmtree, path)
        await self.listen(f"unix:{path}/socket")
        await self.dial("ann", f"unix:{path}/socket:timeout=5:lockfile=0")

    async def test_tls(self) -> None:
        """A TLS server behind a name is tried at each address at once, like others, and comes after the first bytes."""
        self.addCleanup(self.flushWarnings)
        authority = Authority(self.mktemp())
        issued = authority.issue("quotes.example")
        number = await self.listen(f"ssl:0:interface=127.0.0.1:privateKey={issued.key}:certKey={issued.certificate}")
        self.resolve("127.0.0.2", "127.0.0.1")
        server = f"tls:quotes.example:{number.getHost().port}:trustRoots={authority.roots}"
        time = StoppedTime()  # so that no head start is over
        peer: Any = await dialler(time, 30, Named, server, None, None)("ann")
        await self.server.peers.reach(1)
        await self.server.peers[0].seen.reach(1)
        self.assertEqual(self.server.peers[0].greeted_by, "ann")
        peer.close()
        await self.server.peers[0].lost()

    async def test_first_bytes(self) -> None:
        """Bytes that come first are in front of those that the protocol sends."""
        server = f"tcp:127.0.0.1:{await self.serve()}"
        peer: Any = await dialler(reactor, 30, Named, server, None, None, lambda name: hello(f"before {name}"))("ann")
        await self.server.peers.reach(1)
        await self.server.peers[0].seen.reach(2)
        self.assertEqual(self.server.peers[0].greeted_by, "before ann")
        peer.close()
        await self.server.peers[0].lost()

    async def test_others_endpoint(self) -> None:
        """An endpoint of another kind is asked to connect, and given up when the time is over."""
        number = await self.serve()
        await self.dial("ann", Elsewhere(TCP4ClientEndpoint(reactor, "127.0.0.1", number).connect))
        clock = Clock()
        dialled = Through(clock, Elsewhere(lambda factory: Deferred())).dial(Named("ann"), 3)
        clock.advance(3)
        error = await self.assertFailure(dialled, internet_error.TimeoutError)
        self.assertIn("not connected within 3 seconds", str(error))


@implementer(IStreamClientEndpoint)
class Elsewhere:
    """An endpoint of somebody else's."""

    def __init__(self, connects: Callable[[Any], Any]) -> None:
        self._connects = connects

    def connect(self, factory: Any) -> Any:
        """See `IStreamClientEndpoint`."""
        return self._connects(factory)
