"""A repeater between two engines, in memory: its wires, its file, its filter, and how it is killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from typing import Any
from unittest import mock

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from twisted_repeater import Limits, OnFilterError, Side
from twisted_repeater._link.defaults import end_link
from twisted_repeater._link.pair import Pair
from twisted_repeater.dialects.fix import fix, sessions, store

from ...peers import RecordingRepeater
from .engines import Engine

__all__ = ["Between"]

ADDRESS = IPv4Address("TCP", "127.0.0.1", 4711)
publisher: Any = globalLogPublisher
LIMITS = Limits(close_timeout=5, linger=10, stall_timeout=20)


class Wire(StringTransport):
    """The repeater's transport towards an engine, and what is on its way in both directions."""

    def __init__(self, protocol: Any, engine: Engine) -> None:
        super().__init__(peerAddress=ADDRESS)
        self.protocol, self.engine = protocol, engine
        self.coming = bytearray()
        """What the engine has sent, and the repeater has not got."""
        self.hung_up = self.gone = self.dead = False
        protocol.makeConnection(self)
        engine.connected(self.coming.extend, self.hang_up)

    def hang_up(self) -> None:
        """The engine ends the connection, behind what it has sent."""
        self.hung_up = True
        self.engine.disconnected()

    def pauseProducing(self) -> None:
        """See `IPushProducer`; `StringTransport` would not allow this while it closes."""
        self.producerState = "paused"

    def resumeProducing(self) -> None:
        """See `IPushProducer`."""
        self.producerState = "producing"

    def write(self, data: bytes) -> None:
        """See `ITransport`. What a process writes that has been killed goes nowhere."""
        if not self.dead:
            super().write(data)

    def loseWriteConnection(self) -> None:
        """End the stream; an engine closes then."""
        self.disconnecting = True

    def abortConnection(self) -> None:
        """Be gone at once, with what is on its way."""
        self.clear()
        self.lost(ConnectionAborted())

    def lost(self, reason: Exception) -> None:
        """The connection is gone."""
        if not self.gone:
            self.gone = True
            self.engine.disconnected()
            self.protocol.connectionLost(Failure(reason))

    def cut(self) -> None:
        """Lose the connection, and what is on its way."""
        self.clear()
        self.coming.clear()
        self.lost(ConnectionLost())

    def to_repeater(self, amount: int) -> bool:
        """Carry bytes, or the end behind them; return whether anything happened."""
        if self.gone or (self.producerState == "paused" and not self.disconnecting):
            return False
        data = bytes(self.coming[: amount or None])
        del self.coming[: len(data)]
        if data:
            self.protocol.dataReceived(data)
        elif self.hung_up:
            self.lost(ConnectionDone())
        else:
            return False
        return True

    def to_engine(self, amount: int) -> bool:
        """Carry bytes, or the end behind them; return whether anything happened."""
        data = self.value()
        if data and self.engine.out is not None:
            taken = data[: amount or None]
            self.clear()
            StringTransport.write(self, data[len(taken) :])
            self.engine.data(taken)
        elif self.disconnecting and not self.gone:
            self.lost(ConnectionDone())
        else:
            return False
        return True


class Between:
    """The repeater.

    Args:
        engines: the client's, and the server's.
        judge: the filter; it gets the message, and the number of the side that has sent it.
        on_error: is told of errors of a link.
        policy: what becomes of a message where the filter fails.
    """

    def __init__(
        self,
        engines: list[Engine],
        judge: Callable[[Any, int], Any],
        on_error: Callable[[Any], None],
        policy: OnFilterError,
    ) -> None:
        self.engines, self.judge, self.on_error, self.policy = engines, judge, on_error, policy
        self.directory = tempfile.mkdtemp()
        self.wires: list[Wire] = []
        self.pair: Pair | None = None
        self.run = 0
        self.dies: str | None = None
        """Whether it is killed "before" or "after" the next commit."""
        self.stores: list[store.Store] = []
        publisher.addObserver(self.logged)
        self.patches = [
            mock.patch.object(store.Store, "commit", self.committing(store.Store.commit)),
            mock.patch.object(store.Store, "__init__", self.opening(store.Store.__init__)),
        ]
        for patch in self.patches:
            patch.start()
        self.open()

    def open(self) -> None:
        """Start a process of it."""
        self.run += 1
        self.dead = False
        self.dies = None
        run = self.run

        def filter_of(side: int) -> Callable[[Any, Any], Any]:
            return lambda message, link: self.judge(message, side)

        def on_connecting_error(client: str | None, server: str, error: Any) -> None:
            if self.run == run and not self.dead and not isinstance(error.__cause__, ConnectionLost | ConnectionDone):
                self.on_error(error)

        def on_error(link: Any, side: Side, error: Any) -> None:
            if self.run == run and not self.dead:
                self.on_error(error)
                end_link(link, side, error)

        self.dialect = fix(store=os.path.join(self.directory, "numbers"))
        self.world = RecordingRepeater(
            self.dialect,
            limits=LIMITS,
            on_error=on_error,
            on_filter_error=self.policy,
            on_connecting_error=on_connecting_error,
            to_server_filter=filter_of(0),
            to_client_filter=filter_of(1),
        )
        self.world.factory.links.dial = self.dial

    def logged(self, event: dict[str, Any]) -> None:
        """The repeater logs something; a failure is an error."""
        if "log_failure" in event and not self.dead:
            self.on_error(event["log_failure"].value)

    def committing(self, commit: Any) -> Any:
        """Return what commits, unless the process is killed."""

        def killable(own: Any, *arguments: Any, **named: Any) -> Any:
            if self.dies == "before":
                self.die()
            if self.dead or own not in self.stores:
                return []
            done = commit(own, *arguments, **named)
            if self.dies == "after":
                self.die()
            return done

        return killable

    def opening(self, open_store: Any) -> Any:
        """Return what opens a store, and keeps it in mind."""

        def opened(own: Any, *arguments: Any, **named: Any) -> None:
            open_store(own, *arguments, **named)
            self.stores.append(own)

        return opened

    # -- connections ---------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Let the client connect, once the last link is over."""
        if self.pair is not None:
            self.end_link()
        protocol: Any = self.world.factory.buildProtocol(ADDRESS)
        self.pair = protocol.link
        self.wires = [Wire(protocol, self.engines[0])]

    def dial(self, pair: Pair) -> Deferred[Any]:
        """Reach the server."""
        self.wires.append(Wire(pair.server, self.engines[1]))
        return succeed(pair.server)

    def end_link(self) -> None:
        """Let time pass until the last link is over."""
        for wire in self.wires:
            wire.lost(ConnectionDone())
        for _ in range(40):
            if self.pair is None or self.pair.over:
                return
            self.world.clock.advance(1)
        raise AssertionError("the link does not end")

    def carry(self, side: int, amount: int, inwards: bool) -> bool:
        """Carry bytes between an engine and the repeater; return whether anything happened."""
        if side >= len(self.wires):
            return False
        wire = self.wires[side]
        happened = wire.to_repeater(amount) if inwards else wire.to_engine(amount)
        self.world.clock.advance(0)
        self.bury()
        return happened

    def cut(self) -> None:
        """Lose both connections."""
        for wire in self.wires:
            wire.cut()
        self.world.clock.advance(0)
        self.bury()

    # -- the end of a process ------------------------------------------------------------------------------------

    def bury(self) -> None:
        """If the process was killed, start another."""
        if self.dead:
            self.kill()

    def die(self) -> None:
        """End the process where it is: what it does from now on has no effect."""
        self.dead = True
        for wire in self.wires:
            wire.dead = True

    def kill(self) -> None:
        """Kill the process: all that it has not written to its file is gone, and what it has not sent."""
        self.die()
        self.close_stores()
        self.let_go()
        self.open()

    def let_go(self) -> None:
        """The engines lose their connections; the old process is left as it is."""
        for wire in self.wires:
            wire.gone = True
            wire.engine.disconnected()
        self.wires, self.pair = [], None

    def restart(self) -> None:
        """Shut the process down, and start another."""
        self.dies = None
        for wire in self.wires:
            wire.cut()
        if self.pair is not None:
            self.end_link()
        self.close_stores()
        self.let_go()
        self.open()

    def close_stores(self) -> None:
        """Give the file back, as the system does when a process ends."""
        for one in self.stores:
            one.close()
        self.stores.clear()
        sessions.in_files.clear()  # another process knows nothing of them

    def close(self) -> None:
        """Leave nothing."""
        self.let_go()
        self.close_stores()
        publisher.removeObserver(self.logged)
        for patch in self.patches:
            patch.stop()
        shutil.rmtree(self.directory)
