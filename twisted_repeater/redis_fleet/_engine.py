"""A connection to the engine, which is made again whenever it is lost.

`txredisapi` speaks the protocol. It imports the reactor when it is imported, so it is imported when a connection is
made. Before a connection is used, the engine is looked at: it must be a primary, and must not evict what it stores.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._text import text_of
from .._types import Reactor
from ._address import EngineAddress

__all__ = ["Connection", "EngineError", "Facts"]

log: Logger = Logger()

OLDEST = (6, 2)
"""The oldest version of Redis that has all that the scripts use."""

retry_delay: Callable[[int], float] = backoffPolicy(0.1, 3.0)
"""How many seconds pass before the next attempt to connect, by the number of failed ones: a bit at random, so that the
nodes of a fleet do not come back all at once."""

STABLE = 10.0
"""A connection that has lasted for so many seconds was no failed attempt."""


class EngineError(Exception):
    """The engine cannot be used: it is not reached, answers too late, or with an error."""


class Facts:
    """What an engine says of itself.

    Attributes:
        run_id: another one each time the engine starts.
        version: its version, as numbers.
    """

    def __init__(self, info: bytes) -> None:
        lines = (line.partition(":") for line in info.decode("utf-8", "replace").splitlines())
        values = {name: value for name, colon, value in lines if colon}
        self.run_id: str = values.get("run_id", "")
        self.version: tuple[int, ...] = tuple(
            int(part) for part in values.get("redis_version", "").split(".") if part.isdecimal()
        )
        self._role = values.get("role", "")
        self._policy = values.get("maxmemory_policy", "noeviction")
        self._cluster = values.get("cluster_enabled", "0")

    def check(self) -> None:
        """Raise `EngineError` if a fleet cannot trust this engine."""
        if self._role != "master":
            raise EngineError(f"it is a {self._role or 'server without a role'}, and a fleet needs the primary")
        if self._policy != "noeviction":
            raise EngineError(f"its maxmemory-policy is {self._policy}; with another than noeviction it forgets names")
        if self._cluster != "0":
            raise EngineError("it is part of a cluster, and a fleet needs one primary")
        if self.version < OLDEST:
            raise EngineError(f"its version is {'.'.join(map(str, self.version))}, and a fleet needs 6.2 or newer")


class Connection:
    """One connection to the engine.

    Args:
        address: where the engine is.
        reactor: the reactor.
        timeout: how many seconds connecting may take, and an answer. After that the connection is given up.
        up: called with what the engine says of itself, when a connection is made. It may make calls; the connection
            counts as usable when its Deferred has fired.
        down: called with why, when a connection that was usable is lost.
    """

    def __init__(
        self,
        address: EngineAddress,
        reactor: Reactor,
        timeout: float,
        up: Callable[[Facts], Awaitable[None]],
        down: Callable[[str], None],
    ) -> None:
        self.problem: str | None = "not connected yet"
        """Why the engine cannot be used; ``None`` if it can."""
        self._reactor = reactor
        self._timeout = timeout
        self._up = up
        self._down = down
        self._protocol: Any = None
        self._factory = _Factory(address, timeout)
        self._endpoint = address.endpoint(reactor)
        self._running: Deferred[None] | None = None

    def start(self) -> None:
        """Connect, and stay connected."""
        self._running = Deferred.fromCoroutine(self._run())

    def stop(self) -> None:
        """Disconnect, for good."""
        running, self._running = self._running, None
        if running is not None:
            running.addErrback(lambda failure: failure.trap(CancelledError))
            running.cancel()
        self.abort()

    def abort(self) -> None:
        """Give this connection up."""
        if self._protocol is not None:
            self._protocol.transport.abortConnection()

    def call(self, *words: Any) -> Deferred[Any]:
        """Send a command; fire with the answer of the engine.

        Fails with `EngineError` if the engine is not connected, answers with an error, or is too late.
        """
        if self._protocol is None or not self._protocol.connected:
            return fail(EngineError(self.problem or "the connection was lost"))
        answered: Deferred[Any] = self._protocol.execute_command(*words)
        return answered.addErrback(_as_engine_error)

    async def _run(self) -> None:
        failures = 0
        while True:
            began = self._reactor.seconds()
            await self._once()
            failures = 1 if self._reactor.seconds() - began >= STABLE else failures + 1
            await deferLater(self._reactor, retry_delay(failures))

    async def _once(self) -> None:
        """Connect, and return when the connection is lost, or cannot be used."""
        try:
            protocol: Any = await self._endpoint.connect(self._factory).addTimeout(self._timeout, self._reactor)
            lost = protocol.whenDisconnected()
            try:
                self._protocol = protocol
                await _first(protocol.whenConnected(), lost)
                facts = Facts(await self.call("INFO"))
                facts.check()
                await self._up(facts)
                self.problem = None
                await lost
            finally:
                self._protocol = None
                protocol.transport.abortConnection()
        except CancelledError:
            raise
        except Exception as error:
            self.problem = self._factory.problem or text_of(error)
        else:
            self.problem = "the connection was lost"
            self._down(self.problem)


class _Factory(Factory):
    """Makes the protocols of `txredisapi`, and is what they ask of their factory."""

    noisy = False
    isLazy = False
    problem: str | None = None
    """Why the last connection could not log in."""

    def __init__(self, address: EngineAddress, timeout: float) -> None:
        import txredisapi

        self._kind: Any = txredisapi.RedisProtocol
        self._address = address
        self._timeout = timeout

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """See `IProtocolFactory`."""
        self.problem = None
        protocol: Protocol = self._kind(
            charset=None,
            replyTimeout=self._timeout,
            username=self._address.user,
            password=self._address.password,
            dbid=self._address.database or None,
            convertNumbers=False,
        )
        protocol.factory = self
        return protocol

    def connectionError(self, why: str) -> None:
        """The protocol could not log in."""
        self.problem = why

    def stopTrying(self) -> None:
        """The protocol could not log in. Others try again."""


def _first(wanted: Deferred[Any], lost: Deferred[Any]) -> Deferred[None]:
    """Fire when the one has fired; fail if the other has fired before."""
    done: Deferred[None] = Deferred()

    def fire(_: Any, error: Exception | None) -> None:
        if not done.called:
            done.callback(None) if error is None else done.errback(Failure(error))

    wanted.addCallback(fire, None)
    lost.addCallback(fire, EngineError("the connection was lost"))
    return done


def _as_engine_error(failure: Failure) -> Any:
    """Make an `EngineError` of whatever `txredisapi` raises."""
    raise EngineError(text_of(failure.value)) from failure.value
