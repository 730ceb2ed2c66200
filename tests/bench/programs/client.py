"""The load's near end: makes links, and puts load on them as it is told.

Started as ``python -m tests.bench.programs.client PORT LOAD CERTIFICATES`` with the load as JSON, and the directory of
the certificates for TLS. Reads commands, a line each (``link COUNT``, ``check``, ``run SECONDS``), and answers each
with one line of JSON.
"""

from __future__ import annotations

import json
import os
import select
import socket
import statistics
import sys
from collections.abc import Iterable
from itertools import cycle
from time import perf_counter, perf_counter_ns

from ..loads import Load
from ..wire import GREEDY, wire_of
from .secured import client_side

KIB = 1024

_AT_ONCE = 20
"""How many links are made side by side: few enough for the shortest listen queue."""

_SEND_BUFFER = 64 * KIB
"""For each of many connections: left alone, they would take hundreds of MiB on which a slow proxy works for long."""

_BUFFER = memoryview(bytearray(1024 * KIB))

Answer = dict[str, float]


class Client:
    """All connections of one load, and what is sent on them."""

    def __init__(self, port: int, load: Load, certificates: str) -> None:
        self._port = port
        self._load = load
        self._wire = wire_of(load)
        self._chunk = self._wire.chunk(256 * KIB if load.connections == 1 else 16 * KIB)
        self._secured = client_side(load, certificates)
        self._sockets: list[socket.socket] = []
        self._by_number: dict[int, socket.socket] = {}
        self._poll = select.epoll()

    def link(self, count: int) -> Answer:
        """Make so many more links; a link is made when the server's hello has come."""
        started = perf_counter()
        for first in range(0, count, _AT_ONCE):
            made = [self._connect() for _ in range(min(count - first, _AT_ONCE))]
            for connection in made:
                if self._wire.name_in(self._wire.read(connection, hello=True)) != "server":
                    raise SystemExit("the hello that came isn't the server's")
        return {"messages": count, "bytes": 0, "seconds": perf_counter() - started}

    def _connect(self) -> socket.socket:
        connection = socket.socket()
        if self._load.connections > 1:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        connection.connect(("127.0.0.1", self._port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = self._secured(connection)
        is_greedy = self._load.kind == "greedy" and not self._sockets
        connection.sendall(self._wire.hello(GREEDY if is_greedy else f"client-{len(self._sockets)}"))
        self._sockets.append(connection)
        if is_greedy:
            return connection
        self._by_number[connection.fileno()] = connection
        self._poll.register(connection, select.EPOLLIN)
        return connection

    def check(self) -> Answer:
        """Send a little, with both ends looking at every byte."""
        if self._load.kind not in ("echo", "greedy"):
            return self.run(0)
        for connection in self._by_number.values():
            for sent in (self._wire.ordinary, self._wire.last):
                connection.sendall(sent)
                if self._wire.frame(self._wire.read(connection)) != sent:
                    raise SystemExit("the echo differs from what was sent")
        return self.run(0) if self._load.kind == "greedy" else {}

    def run(self, seconds: float) -> Answer:
        """Put the load on, for about so long, and wait until all of it has arrived."""
        load = self._load
        if load.kind == "oneway":
            return self._oneway(self._sockets, seconds)
        if load.kind == "greedy":
            return self._beside_greedy(seconds)
        if load.kind == "connections":
            return self._connections(seconds)
        if load.kind == "broadcast":
            return self._broadcast(seconds)
        return self._ping(seconds) if load.is_in_turn else self._echo(seconds)

    def _oneway(self, connections: list[socket.socket], seconds: float) -> Answer:
        """Send chunks for so long, then the message that says END, and wait for the server's count."""
        started = perf_counter()
        turns = 0
        while not turns or perf_counter() < started + seconds:
            for connection in connections:
                connection.sendall(self._chunk)
            turns += 1
        for connection in connections:
            connection.sendall(self._wire.last)
        size = turns * len(self._chunk) + len(self._wire.last)
        for connection in connections:
            if int(self._wire.read(connection)) != size:
                raise SystemExit("the server has not received as many bytes as were sent")
        return self._answer(size * len(connections), perf_counter() - started)

    def _connections(self, seconds: float) -> Answer:
        """Make some links side by side, send one message on each, wait for it to come back, end them, and so on."""
        wire, message, count = self._wire, self._wire.ordinary, 0
        hello = wire.hello("client-")
        waits = [0.0]
        started = perf_counter()
        while not count or perf_counter() < started + seconds:
            began = perf_counter()
            made = [socket.create_connection(("127.0.0.1", self._port)) for _ in range(self._load.connections)]
            for connection in made:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.sendall(wire.hello(f"{os.getpid()}-{count}") if hello else message)
                count += 1
            for connection in made:
                if hello:
                    wire.read(connection, hello=True)
                    waits.append(perf_counter() - began)
                    connection.sendall(message)
            for connection in made:
                if wire.frame(wire.read(connection)) != message:
                    raise SystemExit("the echo differs from what was sent")
                connection.close()
        waits.sort()
        made_in = {"half_made": waits[len(waits) // 2], "most_made": waits[len(waits) * 99 // 100]}
        return {"messages": count, "bytes": 0, "seconds": perf_counter() - started} | made_in

    def _ping(self, seconds: float) -> Answer:
        """Send one message, wait for it to come back, and so on; with several active connections on each in turn."""
        message = self._wire.ordinary
        times = []
        started = previous = perf_counter_ns()
        for connection in cycle(self._sockets[: self._load.active or 1]):
            if previous >= started + seconds * 1e9:
                break
            connection.sendall(message)
            received = 0
            while received < len(message):
                received += _receive(connection)
            now = perf_counter_ns()
            times.append(now - previous)
            previous = now
        answer = self._answer(len(times) * len(message), (previous - started) / 1e9)
        return answer | _round_trips(times)

    def _beside_greedy(self, seconds: float) -> Answer:
        """Send without end on the first connection, by a process of its own; one message at a time on each other."""
        reader, writer = os.pipe()
        greedy = os.fork()
        if not greedy:
            try:
                sent = self._oneway(self._sockets[:1], seconds)["bytes"]
                os.write(writer, str(int(sent)).encode())
            finally:
                os._exit(0)
        os.close(writer)
        asked = self._requests(seconds)
        with os.fdopen(reader) as said:
            sent = int(said.read() or 0)
        os.waitpid(greedy, 0)
        if not sent:
            raise SystemExit("not all that the greedy client sent has arrived")
        return self._answer(int(asked.pop("bytes")) + sent, asked.pop("seconds")) | asked

    def _requests(self, seconds: float) -> Answer:
        """Keep one message under way on each connection that is polled, and see how long each is."""
        message = self._wire.ordinary
        started = perf_counter_ns()
        times, begun = [], dict.fromkeys(self._by_number, started)
        owed = dict.fromkeys(self._by_number, len(message))
        for connection in self._by_number.values():
            connection.sendall(message)
        while begun:
            for connection in self._readable():
                number = connection.fileno()
                owed[number] -= _receive(connection)
                if owed[number]:
                    continue
                now = perf_counter_ns()
                times.append(now - begun.pop(number))
                if now < started + seconds * 1e9:
                    owed[number], begun[number] = len(message), now
                    connection.sendall(message)
        answer = {"bytes": len(times) * len(message), "seconds": (perf_counter_ns() - started) / 1e9}
        return answer | _round_trips(times)

    def _echo(self, seconds: float) -> Answer:
        """Keep so many messages under way on each connection: each one that comes back is followed by another."""
        size = len(self._wire.ordinary)
        window = memoryview(self._wire.ordinary * self._load.outstanding)
        owed = dict.fromkeys(self._by_number, len(window))
        total = 0
        started = perf_counter()
        for connection in self._sockets:
            connection.sendall(window)
        waiting = len(self._sockets)
        while waiting:
            more = perf_counter() < started + seconds
            for connection in self._readable():
                number = connection.fileno()
                received = _receive(connection)
                total += received
                owed[number] -= received
                if more:
                    again = (len(window) - owed[number]) // size * size
                    connection.sendall(window[:again])
                    owed[number] += again
                elif not owed[number]:
                    waiting -= 1
        return self._answer(total, perf_counter() - started)

    def _broadcast(self, seconds: float) -> Answer:
        """Let the first client ask for a message to all, wait until all have it, and so on."""
        message = self._wire.ordinary
        turns = 0
        started = perf_counter()
        while not turns or perf_counter() < started + seconds:
            self._sockets[0].sendall(message)
            missing = len(message) * len(self._sockets)
            while missing:
                for connection in self._readable():
                    missing -= _receive(connection)
                    if not seconds and _BUFFER[: len(message)] != message:
                        raise SystemExit("a client received something else than the message to all")
            turns += 1
        return self._answer(turns * len(message) * len(self._sockets), perf_counter() - started)

    def _readable(self) -> Iterable[socket.socket]:
        if len(self._sockets) == 1:
            return self._sockets
        return [self._by_number[number] for number, _ in self._poll.poll()]

    def _answer(self, size: int, seconds: float) -> Answer:
        return {"messages": size // len(self._wire.ordinary), "bytes": size, "seconds": seconds}


def _receive(connection: socket.socket) -> int:
    received = connection.recv_into(_BUFFER)
    if not received:
        raise SystemExit("a connection of the load was closed")
    return received


def _round_trips(nanoseconds: list[int]) -> Answer:
    """Return the median, and what 99 of 100 do not exceed."""
    times = sorted(nanoseconds) or [0]
    return {
        "round_trip": statistics.median(times) / 1e9,
        "slow_round_trip": times[min(len(times) - 1, len(times) * 99 // 100)] / 1e9,
    }


def main() -> None:
    """Follow the commands until standard input ends."""
    client = Client(int(sys.argv[1]), Load(**json.loads(sys.argv[2])), sys.argv[3])
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "link":
            answer = client.link(int(arguments[0]))
        elif command == "check":
            answer = client.check()
        else:
            answer = client.run(float(arguments[0]))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
