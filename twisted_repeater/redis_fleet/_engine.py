"""A connection to the engine, which is made again whenever it is lost.

`txredisapi` speaks the protocol. It imports the reactor when it is imported, so it is imported when a connection is
made. Before a connection is used, the engine is looked at: it must be a primary, and must not evict what it stores.

Each call has its deadline. If one is missed, the connection is given up: all calls that wait fail, and the next
connection is tried. So nobody waits for an engine that is frozen, or for a network that loses its packets.
"""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._text import text_of
from .._types import Reactor
from ._address import EngineAddress
from ._engine_errors import EngineError, advised, reason_of

__all__ = ["Connection", "EngineError", "Facts"]

log: Logger = Logger()

OLDEST = (6, 2)
"""The oldest version of Redis that has all that the scripts use. Valkey says that it is Redis 7.2.4."""

FIRST_DELAY = 0.1
"""How many seconds pass before the first attempt to connect again, at most; before each further one twice as many."""

LONGEST_DELAY = 3.0
"""How many seconds pass at most before any attempt."""

STABLE = 10.0
"""A connection that has lasted for so many seconds was no failed attempt."""

MOST_CALLS = 2000
"""How many calls may wait for their answers. A further one fails at once."""

LOST = "the connection was lost"


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
        self.version: tuple[int, ...] = tuple(map(int, re.findall(r"\d+", values.get("redis_version", ""))[:3]))
        self._role = values.get("role", "")
        self._policy = values.get("maxmemory_policy", "")
        self._cluster = values.get("cluster_enabled", "0")

    def check(self) -> None:
        """Raise `EngineError` if a fleet cannot trust this engine."""
        if not self.run_id or not self.version:
            raise EngineError("its INFO is not that of Redis or Valkey")
        if self.version < OLDEST:
            raise EngineError(f"its version is {'.'.join(map(str, self.version))}, and a fleet needs 6.2 or newer")
        if self._cluster != "0":
            raise EngineError("it is part of a cluster, and a fleet needs an engine that is none")
        if self._role != "master":
            raise EngineError(f"its role is {self._role}, and a fleet needs the primary: give its address")
        if self._policy != "noeviction":
            raise EngineError(
                f"it may forget names when its memory is full, as its maxmemory-policy is {self._policy}: "
                "set it to noeviction"
            )


class Connection:
    """One connection to the engine.

    Args:
        address: where the engine is.
        reactor: the reactor.
        timeout: how many seconds connecting may take, and an answer. After that the connection is given up.
        up: called with what the engine says of itself, when a connection is made. It may make calls; the connection
            counts as usable when its Deferred has fired.
        down: called with why the engine cannot be used: when that begins, and when the reason changes.
        longest_delay: how many seconds pass at most before the next attempt to connect.

    Raises:
        ValueError: a file that the address names cannot be used.
        ImportError: the extra is not installed.
    """

    def __init__(
        self,
        address: EngineAddress,
        reactor: Reactor,
        timeout: float,
        up: Callable[[Facts], Awaitable[None]],
        down: Callable[[str], None],
        longest_delay: float = LONGEST_DELAY,
    ) -> None:
        self.problem: str | None = "not connected yet"
        """Why the engine cannot be used; ``None`` if it can."""
        self.calls: int = 0
        """How many calls were made."""
        self.errors: int = 0
        """How many of them had no answer, or an error."""
        self._address = address
        self._reactor = reactor
        self._timeout = timeout
        self._up = up
        self._down = down
        self._longest_delay = longest_delay
        self._make_protocol, self._pack = _protocol_class()
        self._endpoint = address.endpoint(reactor)
        self._running: Deferred[None] | None = None
        self._protocol: Any = None
        """That of the last connection."""
        self._deadline: IDelayedCall | None = None
        self._stopped = False

    def start(self) -> None:
        """Connect, and stay connected."""
        self._running = Deferred.fromCoroutine(self._run())

    def stop(self) -> Deferred[None]:
        """Disconnect, for good. Fires when the connection has ended."""
        self._stopped = True
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.addErrback(lambda failure: None)  # what it was doing has failed
            await deferLater(self._reactor, 0)  # who stops it may have been called by it
            running.cancel()
        if self._protocol is not None:
            await self._protocol.when_lost()

    def abort(self, why: str = LOST) -> None:
        """Give this connection up. The calls under way fail a moment later."""
        protocol = self._protocol
        if protocol is not None and protocol.why is None:
            protocol.why = why
            protocol.transport.abortConnection()
            self._ended(protocol)

    def call(self, *words: Any) -> Deferred[Any]:
        """Send a command; fire with the answer of the engine.

        Fails with `EngineError` if the engine is not connected, answers with an error, or is too late.
        """
        self.calls += 1
        protocol = self._protocol
        if protocol is None or protocol.why is not None:
            return self._failed(self.problem or LOST)
        if len(protocol.sent) >= MOST_CALLS:
            return self._failed(f"{MOST_CALLS} calls wait for its answers")
        done: Deferred[Any] = Deferred()
        protocol.sent.append(self._reactor.seconds())
        protocol.transport.write(self._pack(words))  # execute_command encodes in Python, which takes far longer
        protocol.replyQueue.get().addCallback(protocol.handle_reply).addBoth(self._answered, protocol, done)
        if self._deadline is None:
            self._deadline = self._reactor.callLater(self._timeout, self._look)
        return done

    def _failed(self, why: str) -> Deferred[Any]:
        self.errors += 1
        return fail(EngineError(why))

    def _answered(self, result: Any, protocol: Any, done: Deferred[Any]) -> None:
        """The oldest call under way has its answer."""
        protocol.sent.popleft()
        protocol.is_late = False
        if isinstance(result, Failure):
            self.errors += 1
            done.errback(EngineError(protocol.why or advised(text_of(result.value))))
        else:
            done.callback(result)

    def _look(self) -> None:
        """Look whether the oldest call has got its answer in time."""
        self._deadline = None
        protocol = self._protocol
        if protocol.sent:
            left = protocol.sent[0] + self._timeout - self._reactor.seconds()
            if left <= 0 and protocol.is_late:
                self.abort(f"it did not answer within {self._timeout:g} seconds")
                return
            protocol.is_late = left <= 0  # if this process was stopped, answers may be there: they are read first
            self._deadline = self._reactor.callLater(max(left, 0), self._look)

    # -- connecting ------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        failures, began = 0, self._reactor.seconds()
        while await self._once():
            failures = 1 if self._reactor.seconds() - began >= STABLE else failures + 1
            longest = min(FIRST_DELAY * 2 ** min(failures - 1, 16), self._longest_delay)
            await deferLater(self._reactor, longest * random.uniform(0.5, 1))  # so that nodes do not come all at once
            began = self._reactor.seconds()

    async def _once(self) -> bool:
        """Connect, and return when the connection is lost, or cannot be used: whether to try again."""
        protocol = self._make_protocol(self._ended)
        try:
            await self._endpoint.dial(protocol, self._timeout)
            self._protocol = protocol
            await self._log_in()
            facts = Facts(await self.call("INFO"))
            facts.check()
            await self._up(facts)
            if protocol.why is not None:
                raise EngineError(protocol.why)
            self.problem = None
            await protocol.when_lost()
        except CancelledError:
            raise
        except EngineError as error:
            self._trouble(text_of(error))
        except Exception as error:
            if protocol.transport is not None:
                log.failure("the fleet cannot go on with its engine")
            self._trouble(text_of(error))
        finally:
            self.abort()
        return not self._stopped

    async def _log_in(self) -> None:
        address = self._address
        if address.password is not None:
            await self.call("AUTH", *([address.user] if address.user else []), address.password)
        if address.database:
            await self.call("SELECT", address.database)

    def _ended(self, protocol: Any) -> None:
        """A connection cannot be used any more."""
        current = protocol is self._protocol
        if current and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if current and self.problem is None:
            self._trouble(protocol.why)

    def _trouble(self, why: str) -> None:
        if why != self.problem:
            self.problem = why
            if not self._stopped:
                self._down(why)


class _EngineProtocol(Protocol):
    """What is added to the protocol of `txredisapi`: it says when and why its connection has ended.

    Args:
        ended: called with this protocol then, before its calls fail.
    """

    transport: Any

    def __init__(self, ended: Callable[[Any], None]) -> None:
        super().__init__(charset=None, convertNumbers=False)  # type: ignore[call-arg]
        self.sent: deque[float] = deque()
        """When the calls under way were sent."""
        self.is_late = False
        """Whether the oldest of them should have been answered."""
        self.why: str | None = None
        """Why the connection has ended, or is about to; ``None`` if it goes on."""
        self._ended = ended
        self._is_lost = False
        self._waiting: list[Deferred[None]] = []

    def when_lost(self) -> Deferred[None]:
        """Fire when there is no connection any more."""
        if self._is_lost:
            return succeed(None)
        lost: Deferred[None] = Deferred()
        self._waiting.append(lost)
        return lost

    def dataReceived(self, data: bytes, *more: Any) -> None:
        """See `IProtocol`."""
        try:
            super().dataReceived(data, *more)
        except Exception as error:
            self.why = f"it does not speak the protocol of Redis: {text_of(error)}"
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See `IProtocol`."""
        self._is_lost = True
        self.why = self.why or reason_of(reason.value)
        self._ended(self)
        super().connectionLost(reason)
        for each in self._waiting:
            each.callback(None)


def _protocol_class() -> tuple[Callable[[Callable[[Any], None]], Any], Callable[[tuple[Any, ...]], bytes]]:
    import hiredis
    import txredisapi

    return type("EngineProtocol", (_EngineProtocol, txredisapi.RedisProtocol), {}), hiredis.pack_command
