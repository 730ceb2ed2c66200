"""A network in memory: Twisted's transports on it, its endpoints and its time."""

from __future__ import annotations

from typing import Any

from twisted.internet import error
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from twisted_repeater.testing._memory import MemoryEndpoint, MemoryNetwork
from twisted_repeater.testing._memory_socket import CAPACITY


class Seeing(Protocol):
    """Keeps what it is told."""

    transport: Any

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        self.seen.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self.seen.append(type(reason.value))


@implementer(IHalfCloseableProtocol)
class HalfClosing(Seeing):
    """One that stays when the other ends its stream."""

    def readConnectionLost(self) -> None:
        """The other has ended its stream."""
        self.seen.append("read end")

    def writeConnectionLost(self) -> None:
        """Our stream has ended."""
        self.seen.append("write end")


class NetworkCase(SynchronousTestCase):
    """A network with something that listens."""

    protocol: type[Seeing] = Seeing

    def setUp(self) -> None:
        """Listen."""
        self.network = MemoryNetwork()
        self.endpoint = MemoryEndpoint(self.network)
        self.accepted: list[Seeing] = []
        self.factory = Factory.forProtocol(self.accept)
        self.port: Any = self.successResultOf(self.endpoint.listen(self.factory))

    def accept(self) -> Seeing:
        """Make the protocol of a newcomer."""
        self.accepted.append(self.protocol())
        return self.accepted[-1]

    def connect(self, protocol: type[Seeing] | None = None) -> tuple[Seeing, Seeing]:
        """Connect. Gives the connecting and the accepting protocol."""
        factory = Factory.forProtocol(protocol or self.protocol)
        connected: Any = self.successResultOf(self.endpoint.connect(factory))
        return connected, self.accepted[-1]


class ConnectionTests(NetworkCase):
    """Connections of plain protocols."""

    def test_moves_when_told(self) -> None:
        """What is written arrives when the network settles, not before."""
        one, other = self.connect()
        one.transport.write(b"hello")
        self.assertEqual(other.seen, [])
        self.network.settle()
        self.assertEqual(other.seen, [b"hello"])

    def test_unsettled(self) -> None:
        """Nothing arrives while the network is held, whoever asks it to settle."""
        with self.network.unsettled():
            one, other = self.connect()
            one.transport.write(b"hello")
            self.network.settle()
        self.assertEqual(other.seen, [])
        self.network.settle()
        self.assertEqual(other.seen, [b"hello"])

    def test_addresses(self) -> None:
        """Each connection has an address of its own, and a connecting side comes from the host it says."""
        one, other = self.connect()
        self.assertEqual((one.transport.getPeer(), other.transport.getHost()), (self.endpoint.address,) * 2)
        self.assertEqual(one.transport.getHost(), other.transport.getPeer())
        self.successResultOf(self.endpoint.connect(Factory.forProtocol(Seeing), "10.0.0.7"))
        self.assertEqual(self.accepted[1].transport.getPeer().host, "10.0.0.7")
        self.assertEqual(self.port.getHost(), self.endpoint.address)

    def test_close(self) -> None:
        """A connection that is closed is gone on both sides, after what was written."""
        one, other = self.connect()
        one.transport.write(b"bye")
        one.transport.loseConnection()
        self.network.settle()
        self.assertEqual((one.seen, other.seen), ([ConnectionDone], [b"bye", ConnectionDone]))

    def test_abort(self) -> None:
        """One that is aborted is lost to the other side."""
        one, other = self.connect()
        one.transport.abortConnection()
        self.network.settle()
        self.assertEqual((one.seen, other.seen), ([ConnectionAborted], [ConnectionLost]))

    def test_writing_to_the_aborted(self) -> None:
        """Who writes to an aborted connection loses it as well."""
        one, other = self.connect()
        other.transport.pauseProducing()
        one.transport.abortConnection()
        self.network.settle()
        other.transport.write(b"x")
        self.network.settle()
        self.assertEqual(other.seen, [ConnectionLost])

    def test_in_order_of_arrival(self) -> None:
        """What was written first is read first, on whichever connection."""
        seen: list[bytes] = []
        pairs = [self.connect() for _ in range(3)]
        for one, other in pairs:
            one.dataReceived = other.dataReceived = seen.append  # type: ignore[method-assign,assignment]
        for number in (2, 0, 1):
            pairs[number][number % 2].transport.writeSomeData(b"%d" % number)
        self.network.settle()
        self.assertEqual(seen, [b"2", b"0", b"1"])

    def test_slow_reader(self) -> None:
        """What a reader that is paused does not take waits at the writer, and arrives whole when it reads again."""
        one, other = self.connect()
        other.transport.pauseProducing()
        one.transport.write(b"x" * (3 * CAPACITY))
        self.network.settle()
        self.assertEqual((other.seen, one.transport.memory.writable), ([], False))
        other.transport.resumeProducing()
        self.network.settle()
        self.assertEqual(b"".join(other.seen), b"x" * (3 * CAPACITY))

    def test_gone_before_its_turn(self) -> None:
        """A connection that is ended by what another reads is left alone."""
        one, other = self.connect()
        two, another = self.connect()

        def end_the_other(data: bytes) -> None:
            for transport in (another.transport, two.transport):
                transport.stopReading()
                transport.stopWriting()

        other.dataReceived = end_the_other  # type: ignore[method-assign]
        one.transport.writeSomeData(b"now")
        two.transport.writeSomeData(b"never read")
        two.transport.write(b"never written")
        self.network.settle()
        self.assertEqual((another.seen, two.transport.memory.peer.recv(99)), ([], b"never read"))

    def test_not_reentrant(self) -> None:
        """Who asks it to settle while it does just goes on."""
        one, other = self.connect()
        other.dataReceived = lambda data: self.network.settle()  # type: ignore[method-assign]
        one.transport.write(b"x")
        self.network.settle()

    def test_endless(self) -> None:
        """What never comes to an end is an error."""
        one, other = self.connect()
        one.dataReceived, other.dataReceived = one.transport.write, other.transport.write  # type: ignore[method-assign]
        one.transport.write(b"x")
        self.assertIn("answer every answer", str(self.assertRaises(AssertionError, self.network.settle)))

    def test_exceptions_come_out(self) -> None:
        """What a protocol raises comes out where the test made it happen."""
        one, other = self.connect()
        other.dataReceived = {}.__getitem__  # type: ignore[method-assign,assignment]
        one.transport.write(b"x")
        self.assertRaises(KeyError, self.network.settle)


class HalfCloseTests(NetworkCase):
    """Connections of protocols that know half-closed ones."""

    protocol = HalfClosing

    def test_half_close(self) -> None:
        """A stream ends one way, and the other goes on."""
        one, other = self.connect()
        one.transport.write(b"last")
        one.transport.loseWriteConnection()
        self.network.settle()
        self.assertEqual((one.seen, other.seen), (["write end"], [b"last", "read end"]))
        other.transport.write(b"reply")
        other.transport.loseConnection()
        self.network.settle()
        self.assertEqual(one.seen, ["write end", b"reply", "read end"])
        self.assertEqual(other.seen[-1], ConnectionDone)


class EndpointTests(NetworkCase):
    """Where one listens and others connect to."""

    def test_nobody_listens(self) -> None:
        """Connecting fails where nobody listens, or no more."""
        self.successResultOf(self.port.stopListening())
        self.failureResultOf(self.endpoint.connect(Factory.forProtocol(Seeing)), error.ConnectionRefusedError)

    def test_refused_by_the_factory(self) -> None:
        """A newcomer for whom no protocol is built is connected, and closed at once."""
        self.factory.buildProtocol = lambda addr: None  # type: ignore[method-assign]
        one: Any = self.successResultOf(self.endpoint.connect(Factory.forProtocol(Seeing)))
        self.network.settle()
        self.assertEqual(one.seen, [ConnectionDone])

    def test_not_connecting_after_all(self) -> None:
        """A connecting factory that builds no protocol connects nothing."""
        factory = Factory()
        factory.buildProtocol = lambda addr: None  # type: ignore[method-assign]
        self.failureResultOf(self.endpoint.connect(factory), error.NoProtocol)
        self.assertEqual(self.accepted, [])

    def test_paused(self) -> None:
        """Newcomers wait while accepting is paused."""
        self.port.startListening()
        self.port.pauseProducing()
        self.port.pauseProducing()
        connected = self.endpoint.connect(Factory.forProtocol(Seeing))
        self.assertNoResult(connected)
        self.port.resumeProducing()
        self.successResultOf(connected)
        self.port.resumeProducing()
        self.connect()


class TimeTests(SynchronousTestCase):
    """Time on the network."""

    def test_passes_only_when_told(self) -> None:
        """Calls are made at their own time, and calls that those ask for too."""
        network = MemoryNetwork()
        times: list[float] = []

        def tick() -> None:
            times.append(network.seconds())
            network.callLater(1, tick)

        network.callLater(1, tick)
        network.settle()
        self.assertEqual(times, [])
        network.advance(3.5)
        self.assertEqual((times, network.seconds()), ([1, 2, 3], 3.5))
        self.assertEqual(len(network.getDelayedCalls()), 1)

    def test_at_once(self) -> None:
        """What is due at once happens when it settles."""
        network = MemoryNetwork()
        seen: list[str] = []
        network.callLater(0, seen.append, "now")
        network.settle()
        self.assertEqual(seen, ["now"])

    def test_clock_of_the_test(self) -> None:
        """It goes by the clock that it is given."""
        clock = Clock()
        network = MemoryNetwork(clock)
        verifyObject(IReactorTime, network)
        network.advance(2)
        self.assertEqual(clock.seconds(), 2)
