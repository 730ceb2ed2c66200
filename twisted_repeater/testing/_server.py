"""A server that does what a test tells it to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory

from ..model import Hello, Side
from ._peer import Peer
from ._setting import TIMEOUT, Setting

__all__ = ["ScriptedServer"]


class ScriptedServer(ServerFactory):
    """The server of a test: says its hello to whoever connects, then does what it is told to.

    ``server["alice"]`` is its connection of client alice, the last one that there was.
    """

    noisy = False

    def __init__(self, setting: Setting, hello: Hello | None) -> None:
        self.hello = hello
        """What it says of itself to whoever connects, ``None`` for nothing."""
        self.connections: list[Peer] = []
        """Every connection that was made, in order."""
        self.answer: Callable[[Any, Peer], Iterable[Any] | None] | None = None
        """Called with each message that comes and the connection; gives the messages that it answers with."""
        self._setting = setting
        self._waiting: list[tuple[str, Deferred[Peer]]] = []

    def buildProtocol(self, addr: IAddress | None) -> Peer:
        """See `IProtocolFactory`."""
        peer = Peer(Side.SERVER, self._setting, self.hello)
        peer.answer = self._answer
        peer.on_hello = self._greeted
        self.connections.append(peer)
        return peer

    def __getitem__(self, client_name: str) -> Peer:
        """Return the connection in the name of a client, the last one that there was."""
        for peer in reversed(self.connections):
            if peer.heard is not None and peer.heard.name == client_name:
                return peer
        raise self._setting.transcript.error(f"nobody has connected to the server in the name of {client_name!r}")

    def when_connected(self, client_name: str, timeout: float = TIMEOUT) -> Deferred[Peer]:
        """Return the connection in the name of a client, as soon as there is one; those that are gone don't count."""
        connected: Deferred[Peer] = Deferred()

        def too_late(result: object, _: float) -> Any:
            raise self._setting.transcript.error(
                f"the server has waited {timeout:g} s for a connection in the name of {client_name!r}, in vain"
            )

        connected.addTimeout(timeout, self._setting.clock, onTimeoutCancel=too_late)
        self._waiting.append((client_name, connected))
        for peer in self.connections:
            if peer.lost is None:
                self._greeted(peer)
        return connected

    def _greeted(self, peer: Peer) -> None:
        """A connection has told in whose name it is."""
        for waiting in list(self._waiting):
            client_name, connected = waiting
            if connected.called:
                self._waiting.remove(waiting)  # timed out
            elif peer.heard is not None and peer.heard.name == client_name:
                self._waiting.remove(waiting)
                connected.callback(peer)

    def _answer(self, message: Any, peer: Peer) -> Iterable[Any] | None:
        return None if self.answer is None else self.answer(message, peer)
