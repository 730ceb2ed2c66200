"""The listening of a port, switched off and on."""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import TestCase

from twisted_repeater._sockets.descriptors import guard_port
from twisted_repeater._sockets.port_switch import AGAIN, PortSwitch, switch_of
from twisted_repeater._sockets.valve import Valve

from ..peers import Seen

reactor: Any = installed_reactor


class Accepted(Protocol):
    """A connection that was accepted: it is closed at once."""

    factory: Any

    def connectionMade(self) -> None:
        """See `IProtocol`."""
        self.factory.accepted.append(self)
        assert self.transport is not None
        self.transport.abortConnection()  # type: ignore[attr-defined]


class SwitchTests(TestCase):
    """A port on a socket."""

    timeout = 20
    interface = "127.0.0.1"
    family = socket.AF_INET

    def setUp(self) -> None:
        """Listen, guarded as the port of a repeater is."""
        factory: Any = Factory.forProtocol(Accepted)
        factory.noisy = False
        self.accepted = factory.accepted = Seen()
        self.port = reactor.listenTCP(0, factory, interface=self.interface)
        self.addCleanup(self.port.stopListening)
        self.address = self.port.socket.getsockname()
        valve, self.clock = Valve(self.port), Clock()
        guard_port(self.port, valve, self.clock)
        switch = switch_of(self.port, valve, self.clock)
        assert switch is not None
        self.switch: PortSwitch = switch

    def connect(self) -> int:
        """Connect without blocking, and return the error at once; on the loopback a refusal comes at once."""
        with socket.socket(self.family) as client:
            client.settimeout(5)
            return client.connect_ex(self.address)

    async def test_off_and_on(self) -> None:
        """Switched off, those who connect are refused; switched on, they are accepted at the same port."""
        for _ in range(2):
            self.switch.switch(False)
            self.switch.switch(False)
            self.assertEqual((self.connect(), self.connect()), (errno.ECONNREFUSED, errno.ECONNREFUSED))
            self.assertNotIn(self.port, reactor.getReaders())
            before = len(self.accepted)
            self.switch.switch(True)
            self.switch.switch(True)
            self.assertEqual((self.connect(), self.port.getHost().port), (0, self.address[1]))
            await self.accepted.reach(before + 1)

    def test_port_is_kept(self) -> None:
        """Nobody else can listen at the port meanwhile: whoever binds it has lost when it is switched on."""
        self.switch.switch(False)
        with socket.socket(self.family) as other:
            self.assertEqual(self.assertRaises(OSError, other.bind, self.address).errno, errno.EADDRINUSE)

    async def test_waiting_client(self) -> None:
        """A client that was not accepted yet is reset."""
        with socket.socket(self.family) as client:
            client.settimeout(5)
            client.connect(self.address)
            self.switch.switch(False)
            self.assertRaises(ConnectionResetError, client.recv, 1)

    async def test_address_taken(self) -> None:
        """If somebody takes the address just then, that is logged, and tried again until it is free."""
        create = self.port.createInternetSocket

        def take_address() -> socket.socket:
            self.port.createInternetSocket = create
            made: socket.socket = create()
            made_first, made = made, create()
            made_first.close()
            return made

        self.port.createInternetSocket = take_address
        real_bind, other = self.port.socket, socket.socket(self.family)
        self.addCleanup(other.close)

        class Slow:
            """Somebody else is faster."""

            def __getattr__(self, name: str) -> Any:
                return getattr(real_bind, name)

            def bind(self, address: Any) -> None:
                """See `socket.socket`."""
                other.bind(address)
                other.listen()
                real_bind.bind(address)

        self.port.socket = Slow()
        with capturedLogs() as captured:
            self.switch.switch(False)
            self.port.socket = real_bind
            self.switch.switch(True)
        self.assertEqual([event["log_level"] for event in captured], [LogLevel.error] * 2)
        other.close()
        self.clock.advance(AGAIN)
        self.assertEqual((self.connect(), self.clock.getDelayedCalls()), (0, []))
        await self.accepted.reach(1)

    async def test_closed(self) -> None:
        """A port that is closed stays closed, also if it is still to be tried again."""
        self.switch.switch(False)
        self.switch._bound = False
        with socket.socket(self.family) as other:
            self.port.socket.close()
            self.port.socket = self.port.createInternetSocket()
            self.port.fileno = self.port.socket.fileno
            other.bind(self.address)
            other.listen()
            with capturedLogs():
                self.switch.switch(True)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
            await self.port.stopListening()
            self.clock.advance(AGAIN)
            self.switch.switch(False)
        self.assertEqual((self.clock.getDelayedCalls(), self.connect()), ([], errno.ECONNREFUSED))

    def test_stopped(self) -> None:
        """Stopped, it tries no more."""
        self.switch.stop()
        self.switch._timer = self.clock.callLater(1, self.fail)
        self.switch.stop()
        self.clock.advance(1)


class OtherPortTests(TestCase):
    """Ports that cannot be switched."""

    async def test_others(self) -> None:
        """There is no switch for Unix sockets, and for sockets that somebody else has opened."""
        unix = reactor.listenUNIX(self.mktemp(), Factory())
        with socket.socket() as given:
            given.bind(("127.0.0.1", 0))
            given.listen()
            given.setblocking(False)
            adopted = reactor.adoptStreamPort(given.fileno(), socket.AF_INET, Factory())
        for port in (unix, adopted):
            self.assertIsNone(switch_of(port, Valve(port), Clock()))
            await port.stopListening()
