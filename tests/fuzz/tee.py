"""A tee between a client and a server, which writes down what passes and when."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import suppress

from twisted_repeater import Direction

from .cutting import cut
from .recording import Message

__all__ = ["Tee"]


class Tee:
    """Listens at a port of 127.0.0.1, and relays each connection to a server's port.

    Args:
        protocol: how what passes is cut into messages.
        server: the server's port.
    """

    def __init__(self, protocol: str, server: int) -> None:
        self._protocol = protocol
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections: list[list[Message]] = []
        """The messages of each connection that there was."""
        self._threads: list[threading.Thread] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server))
                self.connections.append([])
                work = threading.Thread(target=self._relay, args=(client, server, self.connections[-1]), daemon=True)
                self._threads.append(work)
                work.start()

    def _relay(self, client: socket.socket, server: socket.socket, messages: list[Message]) -> None:
        ways = {client: (server, Direction.TO_SERVER), server: (client, Direction.TO_CLIENT)}
        rests = {client: bytearray(), server: bytearray()}
        with selectors.DefaultSelector() as ready, client, server:
            for one in ways:
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ready.register(one, selectors.EVENT_READ)
            while ready.get_map():
                for key, _ in ready.select():
                    sender = key.fileobj
                    assert isinstance(sender, socket.socket)
                    other, direction = ways[sender]
                    data = b""
                    with suppress(ConnectionError):
                        data = sender.recv(65536)
                    if not data:
                        ready.unregister(sender)
                        with suppress(OSError):
                            other.shutdown(socket.SHUT_WR)
                        continue
                    rests[sender] += data
                    before = [message for _, message in messages]
                    for message in cut(self._protocol, rests[sender], direction is Direction.TO_SERVER, before):
                        messages.append((direction, message))
                        before.append(message)
                    with suppress(OSError):
                        other.sendall(data)
            for one, rest in rests.items():
                if rest:
                    messages.append((ways[one][1], bytes(rest)))

    def close(self) -> None:
        """Wait for the end of each connection."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for work in self._threads:
            work.join(10)
