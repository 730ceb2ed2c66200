"""The load's far end: says hello, then counts what it receives, or sends it back.

Started as ``python -m tests.bench.programs.server LOAD CERTIFICATES`` with the load as JSON, and the directory of the
certificates for TLS; prints its port.
"""

from __future__ import annotations

import json
import select
import socket
import sys

from ..loads import Load
from ..wire import GREEDY, Wire, wire_of
from .secured import server_side

ECHOED = ("echo", "connections", "greedy")
"""The kinds of load whose messages are sent back."""

_BUFFER = memoryview(bytearray(1024 * 1024))


class Connection:
    """One accepted connection. Until the first END everything received is checked, from then on only counted."""

    def __init__(self, accepted: socket.socket, wire: Wire, echo: bool) -> None:
        self._socket = accepted
        self._wire = wire
        self._echo = echo
        self._greeted = not wire.hello("")
        self._unchecked: bytearray | None = bytearray()
        self._count = 0
        self._newest = b""
        accepted.sendall(wire.hello("server"))

    def readable(self) -> bool:
        """Take what has come; false if that is the end."""
        try:
            n = self._socket.recv_into(_BUFFER)
        except ConnectionError:
            n = 0
        if n == 0:
            self._socket.close()
            return False
        if self._unchecked is not None:
            self._unchecked += _BUFFER[:n]
            self._check(self._unchecked)
        elif self._echo:
            self._socket.sendall(_BUFFER[:n])
        else:
            self._count += n
            if self._is_end(n):
                self._report()
        return True

    def _is_end(self, n: int) -> bool:
        """Whether the n bytes that came are the last of the load. A mark may come in two reads."""
        end = self._wire.end
        if len(end) == 1:
            return _BUFFER[n - 1] == end[0]
        self._newest = (self._newest + bytes(_BUFFER[max(n - len(end), 0) : n]))[-len(end) :]
        return self._newest == end

    def _check(self, data: bytearray) -> None:
        """Read frame by frame: first the hello, then messages, whose bytes are what the client is known to send."""
        wire = self._wire
        if not self._greeted:
            body = wire.split(data, hello=True)
            if body is None:
                return
            self._echo = self._echo and wire.name_in(body) != GREEDY
            self._greeted = True
        while (body := wire.split(data)) is not None:
            message = wire.frame(body)
            if message not in (wire.ordinary, wire.wanted, wire.last):
                raise SystemExit(f"the server received a message that no client sent: {message[:40]!r}")
            self._count += len(message)
            if self._echo:
                self._socket.sendall(message)
            if message == wire.last:
                assert not data, "more came behind the end"
                self._unchecked = None
                if not self._echo:
                    self._report()
                return

    def _report(self) -> None:
        self._socket.sendall(self._wire.frame(str(self._count).encode()))
        self._count = 0


def main() -> None:
    """Serve until standard input ends."""
    load = Load(**json.loads(sys.argv[1]))
    wire = wire_of(load)
    secured = server_side(load, sys.argv[2])
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    connections: dict[int, Connection] = {}
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    poll.register(sys.stdin, select.EPOLLIN)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    while True:
        for number, _ in poll.poll():
            connection = connections.get(number)
            if connection is not None:
                if not connection.readable():
                    del connections[number]  # closing has taken it out of the poll
            elif number == listener.fileno():
                accepted = listener.accept()[0]
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                accepted = secured(accepted)
                connections[accepted.fileno()] = Connection(accepted, wire, load.kind in ECHOED)
                poll.register(accepted, select.EPOLLIN)
            else:
                return


if __name__ == "__main__":
    main()
