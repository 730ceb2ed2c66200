"""A server and its clients for a test that restarts what stands between them, in a thread of their own.

Each client numbers its lines. When its connection ends it connects again at once, once, and goes on with the next
number: nothing is sent again. So whatever is missing at the server was lost on the way.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from random import Random
from typing import TypeAlias

from ..programs import LONGEST

__all__ = ["NAMED", "PLAIN", "Client", "Rolling", "Wire"]

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter

THINKS = 0.02
"""Seconds, about, between an answer and the next line."""
RESTS = 0.8
"""Seconds that a resting client says nothing after each five lines."""


class Wire:
    """Lines, whose clients have no names."""

    async def greet(self, reader: Reader, writer: Writer, name: str) -> None:
        """Say who one is. Raise `EOFError` if the other side does not want that."""

    def pack(self, line: str) -> bytes:
        """Return a message."""
        return f"{line}\n".encode()

    async def unpack(self, reader: Reader) -> str:
        """Return the next message, nothing at the end."""
        return (await reader.readline()).decode().rstrip()

    async def lines(self, reader: Reader) -> AsyncIterator[str]:
        """Return the messages up to the end."""
        while line := await self.unpack(reader):
            yield line


class NamedWire(Wire):
    """The dialect int32, whose clients say their names."""

    async def greet(self, reader: Reader, writer: Writer, name: str) -> None:
        """See `Wire`."""
        writer.write(self.pack(json.dumps({"name": name})))
        if not await self.unpack(reader):
            raise EOFError("no hello")

    def pack(self, line: str) -> bytes:
        """See `Wire`."""
        return len(line).to_bytes(4, "big") + line.encode()

    async def unpack(self, reader: Reader) -> str:
        """See `Wire`."""
        try:
            size = int.from_bytes(await reader.readexactly(4), "big")
            return (await reader.readexactly(size)).decode()
        except asyncio.IncompleteReadError:
            return ""


PLAIN, NAMED = Wire(), NamedWire()


class Client:
    """One client.

    Args:
        rolling: where it belongs.
        name: its name.
        kind: ``asks`` waits for each answer, ``rests`` does that, and rests now and then, ``tells`` wants no answers.
    """

    def __init__(self, rolling: Rolling, name: str, kind: str) -> None:
        self.name, self.kind = name, kind
        self.sent = 0
        """How many lines it has sent."""
        self.answers: list[int] = []
        """The numbers of the lines that were answered."""
        self.connections = 0
        """How often it has connected."""
        self._rolling = rolling
        self._news = asyncio.Event()

    async def live(self) -> None:
        """Send lines until it is quiet."""
        while not self._rolling.quiet.is_set():
            reader, writer = await asyncio.open_connection("127.0.0.1", self._rolling.front)
            self.connections += 1
            ended = None
            try:
                await self._rolling.wire.greet(reader, writer, self.name)
                ended = asyncio.ensure_future(self._listen(reader))
                await self._speak(writer, ended)
                if not ended.done():
                    writer.write_eof()
                await ended
            finally:
                writer.close()

    async def _listen(self, reader: Reader) -> None:
        async for line in self._rolling.wire.lines(reader):
            self.answers.append(int(line.split()[2]))
            self._news.set()
        self._news.set()

    async def _speak(self, writer: Writer, ended: asyncio.Future[None]) -> None:
        while not (self._rolling.quiet.is_set() or ended.done()):
            number = self.sent
            self.sent += 1
            writer.write(self._rolling.wire.pack(f"{self.name} {self.kind} {number}"))
            while self.kind != "tells" and not (ended.done() or self.answers[-1:] == [number]):
                self._news.clear()
                await self._news.wait()
            pause = (
                RESTS if self.kind == "rests" and number % 5 == 4 else THINKS * self._rolling.random.uniform(0.5, 1.5)
            )
            await asyncio.wait([ended], timeout=pause)


class Rolling:
    """The server, whose ``port`` is free to connect to at once, and clients, which connect to ``front``."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.random = Random(15)
        self.front = 0
        self.clients: list[Client] = []
        self.recorded: defaultdict[str, list[int]] = defaultdict(list)
        """The numbers of the lines that came to the server, by client."""
        self.together: Counter[str] = Counter()
        """How many connections of each client the server has."""
        self.twice: set[str] = set()
        """The clients that had two at once."""
        self.quiet: asyncio.Event
        self.error: BaseException | None = None
        self.port = 0
        self._handlers: set[asyncio.Task[None]] = set()
        self._up = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        self._up.wait(LONGEST)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.quiet, self._begin = asyncio.Event(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._up.set()
        await self._begin.wait()
        try:
            async with asyncio.timeout(2 * LONGEST):
                await asyncio.gather(*(client.live() for client in self.clients))
                await asyncio.gather(*self._handlers)
        except BaseException as error:
            self.error = error
        server.close()

    async def _accept(self, reader: Reader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        names: set[str] = set()
        try:
            await self._serve(reader, writer, names)
        except ConnectionError as error:
            self.error = error
        finally:
            self.together.subtract(names)
            writer.close()

    async def _serve(self, reader: Reader, writer: Writer, names: set[str]) -> None:
        await self.wire.greet(reader, writer, "server")
        async for line in self.wire.lines(reader):
            name, kind, number = line.split()
            if name not in names:
                names.add(name)
                self.together[name] += 1
                if self.together[name] > 1:
                    self.twice.add(name)
            self.recorded[name].append(int(number))
            if kind != "tells":
                await asyncio.sleep(0.002)
                writer.write(self.wire.pack(line))

    # -- for the test, in its own thread -----------------------------------------------------------------------

    def start(self, front: int, count: int) -> None:
        """Let so many clients of each kind connect to a port of 127.0.0.1."""
        self.front = front

        def begin() -> None:
            kinds = ("asks", "rests", "tells")
            self.clients = [Client(self, f"{kind}{number}", kind) for kind in kinds for number in range(count)]
            self._begin.set()

        self._loop.call_soon_threadsafe(begin)

    def since(self) -> Callable[[], bool]:
        """Return what says whether the server has got ten more lines of each client since now, or a client failed."""
        before = {client.name: len(self.recorded[client.name]) for client in self.clients}
        return lambda: (
            self.error is not None or all(len(self.recorded[name]) >= count + 10 for name, count in before.items())
        )

    def end(self) -> None:
        """Let the clients end, and wait for that."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._begin.set)
            self._loop.call_soon_threadsafe(self.quiet.set)
            self._thread.join(2 * LONGEST)

    def lost(self) -> Iterator[tuple[str, set[int]]]:
        """Return the lines that a client has sent and the server has not got once, in order, by client."""
        for client in self.clients:
            if sorted(self.recorded[client.name]) != list(range(client.sent)):
                yield client.name, set(range(client.sent)).symmetric_difference(self.recorded[client.name])
