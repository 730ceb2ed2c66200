"""A process of ``twistd repeater`` whose certificate is renewed while Python's own ssl module is its client."""

from __future__ import annotations

import signal
import socket
import ssl
from typing import Any

from twisted.internet.protocol import Factory, Protocol

from ..certificates import Authority
from ..peers import reactor
from ..programs import TWISTD
from .servers import RealCase


class Echo(Protocol):
    """Sends back what comes."""

    transport: Any
    factory: Any

    def connectionMade(self) -> None:
        """See `IProtocol`."""
        self.factory.connected.add(self)

    def connectionLost(self, reason: Any = None) -> None:
        """See `IProtocol`."""
        self.factory.connected.discard(self)

    def dataReceived(self, data: bytes) -> None:
        """See `IProtocol`."""
        self.transport.write(data)


class CertificateTests(RealCase):
    """A repeater in a process of its own, before an echo server."""

    async def test_renewed(self) -> None:
        """SIGHUP has the certificate read again: new clients get the new one, and links go on."""
        factory: Any = Factory.forProtocol(Echo)
        factory.connected = set()
        listening: Any = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        self.authority = Authority(self.directory / "authority")
        issued = self.authority.issue("localhost")
        listen = f"ssl:0:interface=127.0.0.1:privateKey={issued.key}:certKey={issued.certificate}"
        server = f"tcp:127.0.0.1:{listening.getHost().port}"
        options = ["--dialect", "lines", "--listen", listen, "--server", server]
        program = self.start_client(TWISTD, "-n", "--pidfile=", "repeater", *options)
        port = int(program.wait_for(r"accepting clients at .*?(\d+)\D*$")[1])
        old = await self.in_thread(self.connect, port)
        self.authority.issue("localhost")  # in the same files
        program.send_signal(signal.SIGHUP)
        await self.in_thread(program.wait_for, r"the certificates of ssl:0\S* were read again")
        new = await self.in_thread(self.connect, port)
        for client in (old, new):
            self.assertEqual(await self.in_thread(self.ask, client), b"there?\n")
        self.assertNotEqual(old.getpeercert(), new.getpeercert())
        issued.key.write_bytes(b"half a fi")
        program.send_signal(signal.SIGHUP)
        await self.in_thread(program.wait_for, r"so the old ones stay: \S+localhost.key' must have the key")
        newest = await self.in_thread(self.connect, port)
        self.assertEqual(newest.getpeercert(), new.getpeercert())
        self.assertEqual(await self.in_thread(self.ask, newest), b"there?\n")
        for client in (old, new, newest):
            client.close()
        await self.until(lambda: not factory.connected)

    def connect(self, port: int) -> ssl.SSLSocket:
        """Connect a client, which blocks."""
        context = ssl.create_default_context(cafile=str(self.authority.roots))
        client = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 30), server_hostname="localhost")
        reactor.callFromThread(self.addCleanup, client.close)
        return client

    def ask(self, client: ssl.SSLSocket) -> bytes:
        """Send a line; return what comes."""
        client.sendall(b"there?\n")
        return client.recv(100)
