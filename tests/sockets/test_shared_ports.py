"""Ports at which several processes listen; the processes are in ``test_twistd_processes.py``."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.trial.unittest import TestCase

from twisted_repeater._sockets import shared_ports
from twisted_repeater._sockets.shared_ports import SharingReactor, check_can_share

from ..peers import Server, reactor, turn
from .endpoints_case import NO_IPV6


class SharedPortTests(TestCase):
    """Ports that share their number."""

    timeout = 60
    interface = "127.0.0.1"

    def listen(self, number: int = 0) -> Any:
        """Listen at a port that can be shared."""
        server = Server()
        port: Any = SharingReactor(reactor).listenTCP(number, server, 7, self.interface)
        self.addCleanup(port.stopListening)
        port.server = server
        return port

    async def test_together(self) -> None:
        """Two listen at the same port, and each gets some of those who connect."""
        first = self.listen()
        number = first.getHost().port
        second = self.listen(number)
        self.assertEqual(second.getHost(), first.getHost())
        while not (len(first.server.peers) and len(second.server.peers)):
            client = socket.create_connection((self.interface, number), 60)
            self.addCleanup(client.close)
            count = len(first.server.peers) + len(second.server.peers)
            while len(first.server.peers) + len(second.server.peers) == count:
                await turn()

    def test_refused(self) -> None:
        """Somebody who does not share the port cannot listen at it, nor can one who does if another has it alone."""
        number = self.listen().getHost().port
        self.assertRaises(CannotListenError, reactor.listenTCP, number, Factory(), interface=self.interface)
        alone = reactor.listenTCP(0, Factory(), interface=self.interface)
        self.addCleanup(alone.stopListening)
        self.assertRaises(CannotListenError, self.listen, alone.getHost().port)

    def test_system(self) -> None:
        """A system that has no such ports is refused with the reason."""
        check_can_share()
        self.patch(shared_ports, "socket", object())
        self.assertIn("SO_REUSEPORT", str(self.assertRaises(ValueError, check_can_share)))


class OlderTwistedTests(SharedPortTests):
    """The same with a Twisted that does not know such ports."""

    def setUp(self) -> None:
        """Use what older ones have."""
        self.patch(shared_ports, "make_binding", None)


class IPv6Tests(SharedPortTests):
    """The same at an address of IPv6."""

    interface = "::1"
    skip = NO_IPV6


class OlderIPv6Tests(OlderTwistedTests):
    """Both."""

    interface = "::1"
    skip = NO_IPV6
