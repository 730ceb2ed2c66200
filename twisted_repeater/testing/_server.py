"""A server that a test scripts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory

from ..model import Hello, Side
from ._peer import Answer, Peer
from ._setting import TIMEOUT, Setting, Waiting
from ._transcript import __tracebackhide__

__all__ = ["ScriptedServer", "__tracebackhide__"]


class ScriptedServer(ServerFactory):
    """The server of a test: it says hello on each connection, if the dialect has hellos, then follows the test.

    ``server["alice"]`` is its connection for the client alice, the last one if there were several. ``server[client]``
    is that of a client of the test, whatever its name is.
    """

    noisy = False

    def __init__(self, setting: Setting, hello: Hello | None, says: Sequence[object] = ()) -> None:
        self.hello = hello
        """The hello that it sends on each connection, ``None`` for nothing."""
        self.says: Sequence[object] = says
        """Sent on each connection before anything has come: bytes as they are, anything else as a message."""
        self.connections: list[Peer] = []
        """All connections, in order."""
        self.answer: Answer | None = None
        """Called with each message and its connection; returns the messages to answer with."""
        self._setting = setting
        self._waiting = Waiting("the server", setting)

    def buildProtocol(self, addr: IAddress | None) -> Peer:
        """See `IProtocolFactory`."""
        peer = Peer(Side.SERVER, self._setting, self.hello, self.says)
        peer.answer = self._answer
        peer.on_hello = lambda peer: self._look()
        self.connections.append(peer)
        return peer

    def _look(self) -> None:
        """Something has changed that the test may wait for."""
        self._waiting.look()

    def __getitem__(self, client: str | Peer) -> Peer:
        """Return the connection for a client, or for a client of that name; the last one if there were several."""
        for peer in reversed(self.connections):
            if _is_for(peer, client):
                return peer
        raise self._setting.transcript.error(f"the server has no connection for {_shown(client)}")

    def when_connected(self, client: str | Peer, timeout: float = TIMEOUT) -> Deferred[Peer]:
        """Wait for the connection for a client.

        Args:
            client: the client, or its name.
            timeout: how many seconds to wait.

        Returns:
            A Deferred with the connection. It fails with ``AssertionError`` when the time is over.
        """
        what = f"a connection for {_shown(client)}"
        connected = self._waiting.until(lambda: bool(self._open(client)), what, timeout)
        self._waiting.look()
        return connected.addCallback(lambda _: self._open(client)[-1])

    def _open(self, client: str | Peer) -> list[Peer]:
        """Return the connections for a client that are there."""
        return [peer for peer in self.connections if peer.lost is None and _is_for(peer, client)]

    def _answer(self, message: object, peer: Peer) -> Iterable[object] | None:
        return None if self.answer is None else self.answer(message, peer)


def _is_for(peer: Peer, client: str | Peer) -> bool:
    """Return whether a connection of the server is for a client."""
    if isinstance(client, str):
        return peer.client_name == client
    return peer._pair is not None and peer._pair is client._pair


def _shown(client: str | Peer) -> str:
    return f"client {client!r}" if isinstance(client, str) else repr(client)
