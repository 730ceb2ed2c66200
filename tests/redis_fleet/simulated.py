"""Nodes whose time and network a test controls: the real parts of a fleet, and the real engine's scripts and data.

What a node says to its engine is done at once, step by step, late, or never; see `Site.mode`. The engine's clock is a
key, each node has a clock of its own, and a restart of the engine is an event that all nodes see.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum, auto
from hashlib import sha1
from typing import Any
from unittest import mock

import redis
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure

from twisted_repeater.errors import ConnectingError, DuplicateClient
from twisted_repeater.model import SameName
from twisted_repeater.redis_fleet import _node, _reader
from twisted_repeater.redis_fleet._address import EngineAddress
from twisted_repeater.redis_fleet._claims import Claims
from twisted_repeater.redis_fleet._engine import EngineError, Facts
from twisted_repeater.redis_fleet._node import STOPPED, Node
from twisted_repeater.redis_fleet._order_scripts import NOW, READ
from twisted_repeater.redis_fleet._orders import Order, Orders
from twisted_repeater.redis_fleet._scripts import RENEW
from twisted_repeater.redis_fleet._settings import FleetSettings, OnLeaseLost

__all__ = ["LEASE", "PREFIX", "Mode", "Site", "World"]

TIME = "redis.call('TIME')"
OUR_TIME = "(function() local t = redis.call('GET', 'time') return {math.floor(t / 1000), t % 1000 * 1000} end)()"
START = 1_700_000_000_000
LEASE = 4.0
STEP = 0.5
"""Seconds by which time goes on at most before everybody looks."""
PREFIX = "{twisted_repeater:main}:"
QUIET = {RENEW._hash, NOW._hash, READ._hash}
"""Scripts that give no orders."""
RETRY = 0.3
"""Seconds between two attempts of a node to connect."""
ENDS_WITHIN = 0.3
"""Seconds that a link takes to end if a client of another node takes its name over."""


class Mode(Enum):
    """How what a node says gets to the engine."""

    FAST = auto()
    SLOW = auto()
    """A test moves each message."""
    CUT = auto()
    """Nothing moves, and no connection can be made."""


class World:
    """The engine and the sites. It replaces the connections of the parts of a fleet.

    Args:
        path: the Unix socket of the engine, whose data are the world's.
    """

    def __init__(self, path: str, same_name: SameName = SameName.REFUSE, **settings: Any) -> None:
        connection: Any = redis.UnixDomainSocketConnection
        self._engine = connection(path=path, protocol=2)
        self._texts: dict[bytes, bytes] = {}
        self._timed = False
        self.settings = settings
        self.same_name = same_name
        self.now = 0.0
        self.skew = 0
        self.runs = 0
        self.changes = 0
        """How many commands there were that may have changed something."""
        self.down = False
        self.sites: list[Site] = []
        self.late: deque[tuple[Any, ...]] = deque()
        """Commands on connections that their nodes have given up, which the engine has not got yet."""
        self.failures: list[Failure] = []
        self.saved: dict[bytes, bytes] = {}
        self._here: Site | None = None
        replaced: list[tuple[Any, str, Any]] = [
            (_node, "Connection", self._connection),
            (_reader, "Connection", self._connection),
            (_node, "elapsed", self._elapsed),
        ]
        self._patches = [mock.patch.object(*each) for each in replaced]
        for patch in self._patches:
            patch.start()
        self.raw("FLUSHALL")

    def close(self) -> None:
        """Give the connections back."""
        for patch in self._patches:
            patch.stop()
        self._engine.disconnect()

    def _connection(self, address: Any, clock: SiteClock, *rest: Any) -> Line:
        return Line(self, clock, *rest)

    @contextmanager
    def at(self, site: Site) -> Iterator[None]:
        """Let this node do something, by its own clock."""
        before, self._here = self._here, site
        try:
            yield
        finally:
            self._here = before

    def _elapsed(self) -> float:
        assert self._here is not None
        return self._here.clock.elapsed

    def raw(self, *words: Any) -> Any:
        """Run a command."""
        self._engine.send_command(*words)
        return self._engine.read_response()

    def run(self, *words: Any) -> Any:
        """Run a command of a node, by the world's time."""
        if not self._timed:
            self.raw("SET", "time", START + self.skew + round(self.now * 1000))
            self._timed = True
        if words[0] in ("EVAL", "EVALSHA"):
            self.changes += words[1] not in QUIET
            words = self._with_our_time(words)
        elif words[0] == "XREAD":
            words = (*words[:3], *words[5:])
        try:
            return self.raw(*words)
        except redis.exceptions.NoScriptError:
            raise EngineError("NOSCRIPT") from None

    def _with_our_time(self, words: tuple[Any, ...]) -> tuple[Any, ...]:
        command, script, *rest = words
        if command == "EVAL":
            text = script.replace(TIME.encode(), OUR_TIME.encode())
            self._texts[sha1(script).hexdigest().encode()] = sha1(text).hexdigest().encode()
            return command, text, *rest
        return command, self._texts.get(script.encode(), script), *rest

    def holders(self, name: str) -> set[str]:
        """Return the incarnations that the engine has for a name."""
        held, shared = (self.raw("HGET", PREFIX + where, name) or b"" for where in ("held", "shared"))
        return {each.partition("|")[0] for each in (held + shared).decode().split()}

    def names(self) -> list[bytes]:
        """Return the names that the engine has a node for."""
        return [name for where in ("held", "shared") for name in self.raw("HKEYS", PREFIX + where)]

    # -- what happens ----------------------------------------------------------------------------------------

    def add(self, name: str, rate: float = 1.0) -> Site:
        """Start a node. Its clock goes at this rate."""
        site = Site(self, name, rate)
        self.sites.append(site)
        with self.at(site):
            site.node.start()
        return site

    def tick(self, seconds: float) -> None:
        """Let time pass, in small steps."""
        while seconds > 0.001:
            step = min(seconds, STEP)
            seconds -= step
            self.now += step
            self._timed = False
            for site in self.sites:
                site.clock.advance(step * site.rate)
            self.flow()

    def flow(self) -> None:
        """Let everything happen that happens at once."""
        for _ in range(3):
            for site in self.sites:
                site.clock.advance(0)
                for line in site.lines:
                    if site.mode is Mode.FAST:
                        line.flow()

    def jump(self, milliseconds: int) -> None:
        """Set the engine's clock."""
        self.skew += milliseconds
        self._timed = False

    def save(self) -> None:
        """Let the engine write its data to a disk."""
        self.saved = {key: self.raw("DUMP", key) for key in self.raw("KEYS", "{*")}

    def restart(self, keep: bool, saved: bool) -> None:
        """Restart the engine: with the data that it has, with those that it had when they were saved, or without."""
        self.runs += 1
        if not keep:
            self.raw("FLUSHALL")
            self._timed = False
            for key, value in self.saved.items() if saved else ():
                self.raw("RESTORE", key, 0, value)
        self.raw("SCRIPT", "FLUSH")
        for site in self.sites:
            for line in site.lines:
                line.lose("the engine has ended")
        self.late.clear()

    def come_late(self) -> None:
        """Let the engine get a command of a connection that was given up."""
        if self.late:
            try:
                self.run(*self.late.popleft())
            except (EngineError, redis.ResponseError):
                return  # nobody hears of it


class SiteClock(Clock):
    """The clock of a node. Whoever changes ``rightNow`` sets it."""

    site: Site
    elapsed = 0.0
    """What the clock says that nobody sets."""

    def advance(self, amount: float) -> None:
        """See `Clock`."""
        self.elapsed += amount
        with self.site.world.at(self.site):
            super().advance(amount)


class Request:
    """A command on its way, or its answer on its way back."""

    def __init__(self, words: tuple[Any, ...], sent: float) -> None:
        self.words = words
        self.sent = sent
        self.answer: Any = None
        """A tuple of the engine's answer, when it has got the command."""
        self.done: Deferred[Any] = Deferred()


class Line:
    """A connection of a node to the engine, as the parts of a fleet know it."""

    def __init__(
        self,
        world: World,
        clock: SiteClock,
        timeout: float,
        up: Callable[[Facts], Awaitable[None]],
        down: Callable[[str], None],
        *rest: Any,
    ) -> None:
        self.problem: str | None = "not connected yet"
        self.requests: list[Request] = []
        self._world = world
        self._clock = clock
        self._timeout = timeout
        self._up = up
        self._down = down
        self._lives = self._stopped = False
        self._seen = -1
        """How many changes there were when there was nothing to read."""
        clock.site.lines.append(self)

    def start(self) -> None:
        """See `Connection`."""
        Deferred.fromCoroutine(self._run()).addErrback(self._world.failures.append)

    def stop(self) -> Deferred[None]:
        """See `Connection`."""
        self._stopped = True
        self.lose("stopped")
        return succeed(None)

    def abort(self, why: str = "given up") -> None:
        """See `Connection`."""
        if self._lives:
            self._lives = False
            self._clock.callLater(0, self._end, why)

    def lose(self, why: str) -> None:
        """Lose the connection."""
        if self._lives:
            self._lives = False
            with self._world.at(self._clock.site):
                self._end(why)

    def call(self, *words: Any) -> Deferred[Any]:
        """See `Connection`."""
        if not self._lives:
            return fail(EngineError(self.problem or "lost"))
        request = Request(words, self._clock.seconds())
        self.requests.append(request)
        self._clock.callLater(self._timeout, self._look, request)
        if self._clock.site.mode is Mode.FAST:
            self.flow()
        return request.done

    def flow(self) -> None:
        """Let everything move that can."""
        while self.step():
            pass

    def step(self) -> bool:
        """Let an answer get to the node, or else a command to the engine. Return whether something has moved."""
        if not self._lives or not self.requests:
            return False
        request = self.requests[0]
        if request.answer is not None:
            del self.requests[0]
            (answer,) = request.answer
            with self._world.at(self._clock.site):
                request.done.errback(answer) if isinstance(answer, Exception) else request.done.callback(answer)
            return True
        for request in self.requests:
            if request.answer is None:
                return self._take(request)
        return False

    def _take(self, request: Request) -> bool:
        reads = request.words[0] == "XREAD"
        waits = reads and self._clock.seconds() - request.sent < request.words[4] / 1000
        if waits and self._seen == self._world.changes:
            return False
        try:
            answer = self._world.run(*request.words)
        except EngineError as error:
            answer = error
        except redis.ResponseError as error:
            raise AssertionError(f"the engine finds a mistake: {error}") from error
        if answer is None and reads:
            self._seen = self._world.changes
            if waits:
                return False
        request.answer = (answer,)
        return True

    async def _run(self) -> None:
        while not self._stopped:
            if self._clock.site.mode is not Mode.CUT and not self._lives:
                self._lives = True
                try:
                    await self._up(Facts(b"run_id:%d\r\n" % self._world.runs))
                    if self._lives:
                        self.problem = None
                except EngineError as error:
                    self.abort(str(error))
            while self._lives:
                await deferLater(self._clock, RETRY)
            if not self._stopped:
                await deferLater(self._clock, RETRY)

    def _look(self, request: Request) -> None:
        if request in self.requests:
            self.lose("no answer")

    def _end(self, why: str) -> None:
        requests, self.requests = self.requests, []
        self._world.late.extend(request.words for request in requests if request.answer is None)
        for request in requests:
            request.done.errback(EngineError(why))
        problem, self.problem = self.problem, why
        if problem is None:
            self._down(why)


class Site:
    """A node with clients. It watches itself, as a fleet does."""

    def __init__(self, world: World, name: str, rate: float) -> None:
        self.world = world
        self.rate = rate
        self.mode = Mode.FAST
        self.clock = SiteClock()
        self.clock.site = self
        self.lines: list[Line] = []
        self.links: Counter[str] = Counter()
        self.pending: list[tuple[str, Deferred[None]]] = []
        self.errors: list[Exception] = []
        """Why clients were refused."""
        self.orders_seen: list[Order] = []
        self.does: Callable[[Order], Awaitable[Any]] | None = None
        """What it does when it gets an order, if not what a fleet does for names."""
        self.contests = 0
        self.refusal: Exception | None = None
        """Why clients of other nodes do not get the names of its clients, if they do not."""
        if world.same_name is SameName.REFUSE:
            self.refusal = DuplicateClient("it is linked")
        address = EngineAddress("engine")
        settings = FleetSettings(address=address, node=name, lease=LEASE, timeout=1.0, **world.settings)
        self.node = Node(settings, self.clock, self)
        self.orders = Orders(self.node, self.clock, self.handle)
        self.claims = Claims(self.node, self.orders, self.clock, self.close)

    # -- clients ---------------------------------------------------------------------------------------------

    def claim(self, key: str, timeout: float) -> None:
        """A client comes."""
        with self.world.at(self):
            done = Deferred.fromCoroutine(self.claims.claim(key, self.world.same_name, timeout))
        entry = (key, done)
        self.pending.append(entry)

        def linked(_: None) -> None:
            self.pending.remove(entry)
            if self.links[key] and self.world.same_name is not SameName.SHARE:
                self.claims.release(key)  # another client of this node came first
            else:
                self.links[key] += 1

        def refused(failure: Any) -> None:
            self.pending.remove(entry)
            failure.trap(ConnectingError, CancelledError)
            self.errors.append(failure.value)

        done.addCallbacks(linked, refused)

    def release(self, key: str) -> None:
        """A client goes, if there is one."""
        if self.links[key]:
            self.links[key] -= 1
            with self.world.at(self):
                self.claims.release(key)

    def cancel(self) -> None:
        """The client that has waited longest goes, if there is one."""
        if self.pending:
            with self.world.at(self):
                self.pending[0][1].cancel()

    def close(self, key: str) -> None:
        """All clients of a name go."""
        while self.links[key]:
            self.release(key)

    def die(self) -> None:
        """The process ends, without a word."""
        self.world.sites.remove(self)
        with self.world.at(self):
            for line in self.lines:
                line.stop()

    def leave(self) -> None:
        """The process ends in good order."""
        with self.world.at(self):
            Deferred.fromCoroutine(self._leave())

    async def _leave(self) -> None:
        for key in list(self.links):
            self.close(key)
        self.node.off = STOPPED
        self.claims.stop()
        await self.node.stop()
        self.orders.stop()

    # -- what a fleet does -----------------------------------------------------------------------------------

    async def handle(self, order: Order) -> Any:
        """Carry out an order."""
        self.orders_seen.append(order)
        if self.does is not None:
            return await self.does(order)
        key = order.arguments["key"]
        if order.what == "lost":
            self.claims.lost(key, order.arguments["fence"])
            return None
        self.contests += 1
        if self.links[key]:
            if self.refusal is not None:
                raise self.refusal
            await deferLater(self.clock, ENDS_WITHIN)
            self.close(key)
        await self.claims.contested(key)
        return None

    async def joined(self, last: bytes) -> None:
        """See `Watcher`."""
        self.orders.joined(last)
        await self.claims.joined()

    def usable(self) -> None:
        """See `Watcher`."""
        self.claims.goes_on()

    def unusable(self, why: str) -> None:
        """See `Watcher`."""

    def endangered(self) -> None:
        """See `Watcher`."""

    def lost(self) -> None:
        """See `Watcher`."""
        if self.node.settings.on_lease_lost is OnLeaseLost.CLOSE:
            for key in list(self.links):
                self.close(key)

    def info(self) -> Mapping[str, Any]:
        """See `Watcher`."""
        return {}

    @property
    def is_well(self) -> bool:
        """Whether it is a member that says and hears everything at once, and has nothing left to do."""
        idle = all(line.problem is None and len(line.requests) <= 1 for line in self.lines)
        with self.world.at(self):
            return self.mode is Mode.FAST and self.node.is_member and idle
