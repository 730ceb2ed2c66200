"""Tests of the dialect ``fix`` between two engines, or scripted peers, on real sockets."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from twisted_repeater import Repeater, dialects

from ..peers import reactor
from .fix_engines import Engine, Line, State
from .fix_judge import body, delivered
from .servers import RealCase, free_port

__all__ = ["FixCase", "Peer", "fix_message"]

AGAIN = 2.0
"""Seconds after which an engine asks once more for an answer."""


class FixCase(RealCase):
    """A test case with a repeater between two engines."""

    repeater: Repeater
    scripted_peers: list[Peer]
    acceptor: Engine
    initiator: Engine

    def start_engine(self, role: str, port: int, **settings: object) -> Engine:
        """Start an engine, which ends with the test."""
        engine = Engine(self.directory / role, role, port, **settings)
        self.addCleanup(lambda: engine.kill())
        engine.start()
        return engine

    async def repeat(self, port: int, *, fix: dict[str, Any] | None = None, **settings: Any) -> int:
        """Start a repeater before a port; return its own."""
        self.repeater = await self.start_repeater(dialects.fix(**fix or {}), port, **settings)
        self.addCleanup(self.initiator_gone)
        return self.repeater.port

    async def engines(
        self, *, fix: dict[str, Any] | None = None, of_engines: Mapping[str, object] | None = None, **settings: Any
    ) -> None:
        """Start an acceptor, a repeater before it, and an initiator, and see them logged on.

        Args:
            fix: options of the dialect.
            of_engines: settings of both engines.
            settings: those of the repeater.
        """
        port = free_port()
        self.acceptor = self.start_engine("acceptor", port, **of_engines or {})
        self.initiator = self.start_engine(
            "initiator", await self.repeat(port, fix=fix, **settings), **of_engines or {}
        )
        await self.logged_on()

    def initiator_gone(self) -> None:
        """End the initiator before the repeater is seen to forget its link."""
        if hasattr(self, "initiator"):
            self.initiator.kill()

    async def logged_on(self) -> None:
        """Wait until the session is there, at both ends."""
        for engine in (self.initiator, self.acceptor):
            await self.until(partial(is_logged_on, engine), self.both_logs)

    async def trade(self, first: int, count: int, *, reports: int | None = None) -> None:
        """Let the initiator send orders, and wait until it has so many reports more."""
        before = len(self.initiator.told("got", "8"))
        self.initiator.type(f"orders {first} {count} 0")
        wanted = before + (count if reports is None else reports)
        await self.until(lambda: len(self.initiator.told("got", "8")) >= wanted, self.both_logs)

    async def answered(self, engine: Engine) -> None:
        """Wait until an engine has an answer to a TestRequest, and everything before it."""
        words = f"step {len(engine.told('sent', '1'))}"
        asked = -AGAIN

        def is_answered() -> bool:
            nonlocal asked
            if time.monotonic() >= asked + AGAIN:  # an engine that has missed it gets a gap fill, and does not answer
                asked = time.monotonic()
                engine.type(f"send 35=1|112={words}")
            answers = [line for line in engine.told("came", "0") if line.get(112) == words]
            return bool(answers) and engine.ask().target > answers[0].number

        await self.until(is_answered, self.both_logs)

    async def in_step(self, to_server: int = 0, to_client: int = 0) -> tuple[State, State]:
        """Check that each engine expects the number that the other will send.

        Args:
            to_server: how many messages the repeater has added on the way to the acceptor.
            to_client: how many on the way to the initiator.
        """
        for _ in range(5):
            # A request that the repeater has answered is a gap for the other engine: it is told when it speaks.
            await self.answered(self.initiator)
            await self.answered(self.acceptor)
            initiator, acceptor = self.initiator.ask(), self.acceptor.ask()
            found = acceptor.target - initiator.sender, initiator.target - acceptor.sender
            if found == (to_server, to_client):
                return initiator, acceptor
        raise AssertionError(f"{found}, not {to_server, to_client}{self.both_logs()}")

    async def gets_all_again(self, engine: Engine, *, but: Iterable[int] = ()) -> None:
        """Let an engine forget all that it got, and check that it gets the same again, under the same numbers."""
        await self.answered(engine)  # it does not ask again while it waits for what it has asked for before
        before = {line.number: body(line.text) for line in delivered(engine)}
        count = len(engine.lines)
        engine.type("set target 1")
        await self.answered(engine)
        again = {line.number: body(line.text) for line in engine.lines[count:] if line.kind == "got"}
        self.assertEqual(again, {number: text for number, text in before.items() if number not in set(but)})
        self.assertTrue(all(line.is_again for line in engine.lines[count:] if line.kind == "got"))

    async def scripted_client(self, port: int) -> Peer:
        """Connect a scripted client, which leaves with the test."""
        peer = Peer()
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), peer)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.leave(peer)))
        return peer

    def scripted_server(self) -> tuple[PeerServer, int]:
        """Start a server of scripted peers; return it with its port."""
        server = PeerServer()
        port: Any = reactor.listenTCP(0, server, interface="127.0.0.1")
        self.addCleanup(lambda: gatherResults([Deferred.fromCoroutine(self.leave(peer)) for peer in server.peers]))
        self.addCleanup(port.stopListening)
        return server, port.getHost().port

    async def scripted(self, **settings: Any) -> tuple[Peer, Peer]:
        """Log a scripted client on to a scripted server, through a repeater; return both."""
        server, port = self.scripted_server()
        self.scripted_peers = server.peers
        client = await self.scripted_client(await self.repeat(port, **settings))
        client.log_on()
        await self.hears(server, 1)
        server.peers[0].log_on()
        await self.hears(client, 1)
        return client, server.peers[0]

    async def hears(self, who: Peer | PeerServer, count: int) -> list[Line]:
        """Wait until a peer, or a server's first one, has heard so many messages; return them."""
        lines: list[Line] = []

        def enough() -> bool:
            peers = who.peers[:1] if isinstance(who, PeerServer) else [who]
            lines[:] = [line for peer in peers for line in peer.lines]
            return len(lines) >= count

        await self.until(enough, lambda: f"only {lines}")
        return lines

    async def leave(self, peer: Peer) -> None:
        """Close a peer's connection, and wait until it is gone."""
        if peer.transport is not None and not peer.is_gone:
            peer.transport.loseConnection()
        await self.until(lambda: peer.is_gone)

    def asked_again(self, engine: Engine) -> int:
        """Return how often an engine has asked for messages again."""
        return len(engine.told("sent", "2"))

    def calm(self, of_initiator: int = 0, of_acceptor: int = 0) -> None:
        """Check how often both have asked for messages again, and that neither has complained of the other."""
        found = self.asked_again(self.initiator), self.asked_again(self.acceptor)
        self.assertEqual(found, (of_initiator, of_acceptor), self.both_logs())
        for engine in (self.initiator, self.acceptor):
            self.assertEqual([line.text for line in engine.told("sent", "3j")], [])
            self.assertEqual([line.text for line in engine.told("sent", "5") if line.get(58)], [])

    def ids(self, engine: Engine, type_: str = "D") -> list[int]:
        """Return the ClOrdIDs of the messages of a type that an engine got."""
        return [int(line.get(11)) for line in delivered(engine) if line.type == type_]

    def headlines(self, engine: Engine) -> list[str]:
        """Return the headlines of the news that an engine got."""
        return [line.get(148) for line in delivered(engine) if line.type == "B"]

    def both_logs(self) -> str:
        """Return what both engines have seen of late, for a test that fails."""
        engines = (getattr(self, "initiator", None), getattr(self, "acceptor", None))
        refusals = [repr(self.calls.refusals[:3]), *map(str, self.calls.errors[:3])]
        logs = [f"{engine.role}:\n" + "\n".join(map(" ".join, engine.lines[-60:])) for engine in engines if engine]
        return "\n".join(["", *logs, *refusals])


def is_logged_on(engine: Engine) -> bool:
    """Return whether the session of an engine is there."""
    return engine.ask().is_logged_on


def fix_message(type_: str, number: int, *fields: tuple[int, object], version: str = "FIX.4.4", **header: str) -> bytes:
    """Return a message as a scripted peer writes it.

    Args:
        type_: MsgType.
        number: MsgSeqNum.
        fields: what follows the header.
        version: BeginString.
        header: ``sender`` and ``target``, if not those of the initiator.
    """
    now = datetime.now(UTC).strftime("%Y%m%d-%H:%M:%S.%f")[:-3]
    sender, target = header.get("sender", "BUYER"), header.get("target", "SELLER")
    pairs = [(35, type_), (34, number), (49, sender), (52, now), (56, target), *fields]
    text = b"".join(b"%d=%s\x01" % (tag, str(value).encode("latin-1")) for tag, value in pairs)
    frame = b"8=%s\x019=%d\x01%s" % (version.encode(), len(text), text)
    return b"%s10=%03d\x01" % (frame, sum(frame) % 256)


class Peer(Protocol):
    """A peer that says what a test tells it, and keeps what it hears."""

    def __init__(self, *, is_server: bool = False) -> None:
        self.header = {"sender": "SELLER", "target": "BUYER"} if is_server else {}
        self.heard = b""
        self.is_gone = False

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self.heard += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note that the connection is gone."""
        self.is_gone = True

    @property
    def lines(self) -> list[Line]:
        """The messages that it has heard."""
        texts = re.findall(rb"8=FIX.*?\x0110=\d{3}\x01", self.heard, re.DOTALL)
        return [Line("came", text.decode("latin-1").replace("\x01", "|")) for text in texts]

    def say(self, type_: str, number: int, *fields: tuple[int, object]) -> None:
        """Send a message."""
        self.send(fix_message(type_, number, *fields, **self.header))

    def send(self, data: bytes) -> None:
        """Send bytes."""
        assert self.transport is not None
        self.transport.write(data)

    def log_on(self, number: int = 1, *fields: tuple[int, object]) -> None:
        """Send a Logon."""
        self.say("A", number, (98, 0), (108, 30), *fields)


class PeerServer(Factory):
    """A server of scripted peers."""

    noisy = False

    def __init__(self) -> None:
        self.peers: list[Peer] = []

    def buildProtocol(self, address: object) -> Peer:
        """Return the peer of a new connection."""
        self.peers.append(Peer(is_server=True))
        return self.peers[-1]
