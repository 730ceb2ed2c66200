"""A server that a test scripts."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory

from ..model import Hello, Side
from ._peer import Answer, Peer
from ._setting import TIMEOUT, Setting, Waiting
from ._transcript import __tracebackhide__

__all__ = ["ScriptedServer", "__tracebackhide__"]


class ScriptedServer(ServerFactory):
    """The server of a test: it says hello on each connection, then follows the test.

    ``server["alice"]`` is its connection for the client alice, the last one if there were several.
    """

    noisy = False

    def __init__(self, setting: Setting, hello: Hello | None) -> None:
        self.hello = hello
        """The hello that it sends on each connection, ``None`` for nothing."""
        self.connections: list[Peer] = []
        """All connections, in order."""
        self.answer: Answer | None = None
        """Called with each message and its connection; returns the messages to answer with."""
        self._setting = setting
        self._waiting = Waiting("the server", setting)

    def buildProtocol(self, addr: IAddress | None) -> Peer:
        """See `IProtocolFactory`."""
        peer = Peer(Side.SERVER, self._setting, self.hello)
        peer.answer = self._answer
        peer.on_hello = lambda peer: self._waiting.look()
        self.connections.append(peer)
        return peer

    def __getitem__(self, client_name: str) -> Peer:
        """Return the connection for a client, the last one if there were several."""
        for peer in reversed(self.connections):
            if peer.client_name == client_name:
                return peer
        raise self._setting.transcript.error(f"the server has no connection for client {client_name!r}")

    def when_connected(self, client_name: str, timeout: float = TIMEOUT) -> Deferred[Peer]:
        """Wait for the connection for a client.

        Args:
            client_name: the name of the client.
            timeout: how many seconds to wait.

        Returns:
            A Deferred with the connection. It fails with ``AssertionError`` when the time is over.
        """
        what = f"a connection for client {client_name!r}"
        connected = self._waiting.until(lambda: bool(self._open(client_name)), what, timeout)
        self._waiting.look()
        return connected.addCallback(lambda _: self._open(client_name)[-1])

    def _open(self, client_name: str) -> list[Peer]:
        """Return the connections for a client that are there."""
        return [peer for peer in self.connections if peer.lost is None and peer.client_name == client_name]

    def _answer(self, message: object, peer: Peer) -> Iterable[object] | None:
        return None if self.answer is None else self.answer(message, peer)
