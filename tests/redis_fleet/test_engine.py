"""A connection to the engine is made, watched, and made again."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.redis_fleet import _engine
from twisted_repeater.redis_fleet._address import EngineAddress
from twisted_repeater.redis_fleet._engine import FIRST_DELAY, MOST_CALLS, STABLE, Connection, EngineError, Facts

from ..certificates import Authority
from ..peers import reactor
from ..programs import kept_port
from .engines import EngineCase, StoppedReactor

INFO = {
    "redis_version": "7.0.15",
    "run_id": "1a2b",
    "role": "master",
    "maxmemory_policy": "noeviction",
    "cluster_enabled": "0",
}


class FactsTests(SynchronousTestCase):
    """What an engine says of itself."""

    def facts(self, **values: str) -> Facts:
        """Return the facts of an engine that is good but for some values."""
        lines = (f"{name}:{value}" for name, value in (INFO | values).items())
        return Facts("# Server\r\n{}\r\n".format("\r\n".join(lines)).encode())

    def test_good(self) -> None:
        """A primary of Redis 6.2 or newer, or of Valkey, that does not evict, is good."""
        for version, numbers in {
            "6.2.0": (6, 2, 0),
            "7.2.4": (7, 2, 4),
            "8.0-rc1": (8, 0, 1),
            "10.0.0": (10, 0, 0),
        }.items():
            facts = self.facts(redis_version=version)
            facts.check()
            self.assertEqual((facts.version, facts.run_id), (numbers, "1a2b"))

    def test_refused(self) -> None:
        """Any other engine is refused, with the reason."""
        for values, why in (
            ({"redis_version": "6.0.16"}, "its version is 6.0.16, and a fleet needs 6.2"),
            ({"redis_version": ""}, "not that of Redis or Valkey"),
            ({"run_id": ""}, "not that of Redis or Valkey"),
            ({"role": "slave"}, "its role is slave, and a fleet needs the primary"),
            ({"cluster_enabled": "1"}, "part of a cluster"),
            ({"maxmemory_policy": "volatile-ttl"}, "maxmemory-policy is volatile-ttl: set it to noeviction"),
        ):
            error = self.assertRaises(EngineError, self.facts(**values).check)
            self.assertIn(why, str(error))


class ConnectionCase(EngineCase):
    """A test case with a connection; ``ups`` and ``downs`` have what it has told."""

    def setUp(self) -> None:
        """Begin with nothing told."""
        super().setUp()
        self.ups: list[Facts] = []
        self.downs: list[str] = []

    def connect(
        self,
        address: EngineAddress,
        *,
        timeout: float = 10.0,
        then: Callable[[], Awaitable[None]] | None = None,
        on: Any = reactor,
        longest: float = 0.05,
    ) -> Connection:
        """Start a connection that ends with the test."""

        async def up(facts: Facts) -> None:
            self.ups.append(facts)
            if then is not None:
                await then()

        connection = Connection(address, on, timeout, up, self.downs.append, longest)
        self.addCleanup(connection.stop)
        connection.start()
        return connection

    async def usable(self, connection: Connection) -> Connection:
        """Wait until a connection can be used."""
        await self.until(lambda: connection.problem is None, lambda: str(connection.problem))
        return connection

    async def problem(self, address: EngineAddress, why: str, **options: Any) -> Connection:
        """Return a connection that cannot be made, for a reason."""
        connection = self.connect(address, **options)
        await self.until(lambda: self.downs)
        self.assertRegex(str(connection.problem), why)
        self.assertEqual(connection.problem, self.downs.pop())
        return connection

    async def fails(self, call: Deferred[Any], why: str) -> None:
        """A call fails, for a reason."""
        error: Any = await self.assertFailure(call, EngineError)
        self.assertRegex(str(error), why)


class MakingTests(ConnectionCase):
    """How a connection is made."""

    async def test_calls(self) -> None:
        """Calls have the answers of the engine, as bytes and numbers, or its errors."""
        connection = await self.usable(self.connect(self.start_engine().address))
        calls = [connection.call("RPUSH", "list", *range(3)), connection.call("LRANGE", "list", 0, -1)]
        self.assertEqual(await gatherResults(calls), [3, [b"0", b"1", b"2"]])
        await self.fails(connection.call("HGET", "list", "key"), "^something else uses .*WRONGTYPE")
        await connection.stop()
        await self.fails(connection.call("PING"), "lost")
        self.assertEqual(self.downs, [])

    async def test_log_in(self) -> None:
        """It logs in, also as another user than the default one, and chooses a database."""
        engine = self.start_engine(password="secret")
        engine.ask("ACL", "SETUSER", "ann", "on", ">hers", "~*", "+@all")
        engine.ask("SET", "place", "0")
        login = {"password": "secret"}, {"user": "ann", "password": "hers", "database": 9}
        for options, expected in zip(login, (b"0", None), strict=True):
            connection = await self.usable(self.connect(EngineAddress("127.0.0.1", engine.port, **options)))  # type: ignore[arg-type]
            self.assertEqual(await connection.call("GET", "place"), expected)

    async def test_wrong_login(self) -> None:
        """If it cannot log in, the problem says what to do, without the password."""
        engine, no_password = self.start_engine(password="secret"), self.start_engine()
        engine.ask("ACL", "SETUSER", "ann", "on", ">hers", "~*", "+select")
        cases: list[tuple[int, dict[str, Any], str]] = [
            (engine.port, {}, "wants a password.*NOAUTH"),
            (engine.port, {"password": "guessed"}, "does not accept the user or the password.*WRONGPASS"),
            (engine.port, {"user": "bob", "password": "guessed"}, "WRONGPASS"),
            (engine.port, {"user": "ann", "password": "hers"}, "may not do what a fleet needs.*NOPERM"),
            (engine.port, {"password": "secret", "database": 99}, "DB index is out of range"),
            (no_password.port, {"password": "guessed"}, "has no password, but the address has one"),
        ]
        for port, options, why in cases:
            with self.subTest(why=why):
                connection = await self.problem(EngineAddress("127.0.0.1", port, **options), why)
                self.assertNotRegex(str(connection.problem), "guessed|hers|secret")
                await connection.stop()

    async def test_wrong_engine(self) -> None:
        """An engine that a fleet cannot trust is not used."""
        options = ("--maxmemory-policy", "allkeys-lru"), ("--cluster-enabled", "yes"), ("--replicaof", "127.0.0.1", "1")
        for given, why in zip(options, ("allkeys-lru", "cluster", "its role is slave"), strict=True):
            connection = await self.problem(self.start_engine(*given).address, why)
            await connection.stop()

    async def test_nobody_listens(self) -> None:
        """If nobody listens, it is tried again and again, and the reason is told once."""
        clock = StoppedReactor()
        await self.problem(EngineAddress("127.0.0.1", kept_port(self)), "refused", on=clock)
        for _ in range(3):
            await self.until(lambda: clock.calls)
            clock.advance(1)
        await self.until(lambda: clock.calls)
        self.assertEqual(self.downs, [])

    async def test_not_redis(self) -> None:
        """A server of another protocol is no engine, nor is one that resets its connections."""

        class Web(Protocol):
            transport: Any

            def dataReceived(self, data: bytes) -> None:
                self.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        class Resetting(Web):
            def dataReceived(self, data: bytes) -> None:
                self.transport.abortConnection()

        for kind, why in ((Web, "does not speak the protocol of Redis"), (Resetting, "non-clean")):
            port = reactor.listenTCP(0, Factory.forProtocol(kind), interface="127.0.0.1")
            self.addCleanup(port.stopListening)
            await self.problem(EngineAddress("127.0.0.1", port.getHost().port), why)

    async def test_tls(self) -> None:
        """If the engine's certificate is not trusted, the problem says how to trust it."""
        authority = Authority(self.directory)
        engine = self.start_engine(tls=authority.issue("localhost"))
        address = EngineAddress("localhost", engine.port, scheme="rediss", ca=str(authority.roots))
        await self.usable(self.connect(address))
        untrusted = EngineAddress("localhost", engine.port, scheme="rediss")
        await self.problem(untrusted, "TLS with it has failed: certificate verify failed.*ca=FILE")
        other_name = EngineAddress("127.0.0.1", engine.port, scheme="rediss", ca=str(authority.roots))
        await self.problem(other_name, "is for another host")

    async def test_up_fails(self) -> None:
        """If what is done first fails, the next connection is tried; an error that nobody expects is logged."""
        errors: list[Exception] = [EngineError("the name is taken"), KeyError("surprise")]

        async def then() -> None:
            if errors:
                raise errors.pop(0)

        await self.usable(self.connect(self.start_engine().address, then=then))
        self.assertEqual(self.downs, ["the name is taken", "'surprise'"])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    async def test_ends_meanwhile(self) -> None:
        """A connection that ends while something is done first never counts as usable."""
        engine = self.start_engine()
        problems: list[str | None] = []

        async def then() -> None:
            if len(self.ups) == 1:
                connection.abort("it was enough")
            problems.append(connection.problem)

        connection = self.connect(engine.address, then=then, on=StoppedReactor())
        await self.until(lambda: problems)
        self.assertEqual(problems, ["not connected yet"])
        self.assertEqual(connection.problem, "it was enough")


class LosingTests(ConnectionCase):
    """How a connection is lost, and made again."""

    async def test_restart(self) -> None:
        """If the engine ends, that is told, and when it is there again, it is another run."""
        engine = self.start_engine()
        connection = await self.usable(self.connect(engine.address))
        waiting = connection.call("BLPOP", "list", 0)
        engine.kill()
        await self.fails(waiting, "it has closed the connection|reset|lost")
        self.assertIsNotNone(connection.problem)
        engine.restart()
        await self.usable(connection)
        first, second = self.ups
        self.assertNotEqual(first.run_id, second.run_id)

    async def test_cut(self) -> None:
        """If only the connection ends, the next one finds the same run."""
        engine = self.start_engine()
        connection = await self.usable(self.connect(engine.address))
        engine.cut()
        await self.until(lambda: self.downs)
        await self.usable(connection)
        self.assertEqual(self.downs, ["it has closed the connection"])
        self.assertEqual(self.ups[0].run_id, self.ups[1].run_id)

    async def test_frozen(self) -> None:
        """If the engine does not answer in time, all calls fail, and so does the next connection, until it answers."""
        engine = self.start_engine()
        connection = await self.usable(self.connect(engine.address, timeout=0.3))
        engine.freeze()
        calls = [connection.call("PING") for _ in range(3)]
        for call in calls:
            await self.fails(call, "did not answer within 0.3 seconds")
        await self.until(lambda: self.downs)
        engine.thaw()
        await self.usable(connection)

    async def test_half_open(self) -> None:
        """If the network loses all packets, also while connecting, it is the same."""
        engine = self.start_engine()
        wire = await self.start_wire(engine)
        connection = await self.usable(self.connect(wire.address, timeout=0.3))
        wire.hold()
        await self.fails(connection.call("PING"), "did not answer")
        wire.mend()
        await self.usable(connection)

    async def test_slow(self) -> None:
        """An engine that answers slowly, but in time, is used."""
        wire = await self.start_wire(self.start_engine())
        wire.slow(0.05)
        connection = await self.usable(self.connect(wire.address))
        self.assertEqual(await connection.call("PING"), b"PONG")
        self.assertEqual(self.downs, [])

    async def test_demoted(self) -> None:
        """An engine that becomes a replica refuses to store, and is not used again."""
        engine = self.start_engine("--repl-ping-replica-period", "1")
        connection = await self.usable(self.connect(engine.address))
        engine.ask("REPLICAOF", "127.0.0.1", "1")
        await self.fails(connection.call("SET", "key", "1"), "has become a replica.*READONLY|role is slave")
        connection.abort()
        await self.until(lambda: "its role is slave" in str(connection.problem))
        engine.ask("REPLICAOF", "NO", "ONE")
        await self.usable(connection)

    async def test_full(self) -> None:
        """If the engine's memory is full, a call fails with what to do; the connection stays."""
        engine = self.start_engine()
        connection = await self.usable(self.connect(engine.address))
        engine.fill()
        await self.fails(connection.call("EVAL", "return redis.call('SET', 'a', 'b')", 0), "memory is full.*OOM")
        self.assertIsNone(connection.problem)

    async def test_many_calls(self) -> None:
        """So many calls may wait for a frozen engine, and no more."""
        engine = self.start_engine()
        connection = await self.usable(self.connect(engine.address))
        engine.freeze()
        calls = [connection.call("PING") for _ in range(MOST_CALLS)]
        await self.fails(connection.call("PING"), f"{MOST_CALLS} calls wait")
        engine.thaw()
        self.assertEqual(set(await gatherResults(calls)), {b"PONG"})
        self.assertEqual(await connection.call("PING"), b"PONG")

    async def test_cancelled(self) -> None:
        """The answer of a call that was cancelled is not taken for that of another."""
        connection = await self.usable(self.connect(self.start_engine().address))
        first, second = connection.call("ECHO", "first"), connection.call("ECHO", "second")
        first.addErrback(lambda failure: "cancelled")
        first.cancel()
        self.assertEqual(await gatherResults([first, second]), ["cancelled", b"second"])
        self.assertEqual(await connection.call("ECHO", "third"), b"third")


class TimeTests(ConnectionCase):
    """What happens when."""

    async def test_stopped_process(self) -> None:
        """A process that was stopped reads the answers that came meanwhile before it gives the connection up."""
        clock, engine = StoppedReactor(), self.start_engine()
        connection = await self.usable(self.connect(engine.address, timeout=2, on=clock))
        answered = connection.call("INCR", "count")
        connection._protocol.transport.doWrite()
        while engine.ask("GET", "count") is None:
            pass  # the answer is there when this process goes on
        clock.advance(60)
        self.assertEqual(await answered, 1)
        self.assertIsNone(connection.problem)
        engine.freeze()
        waiting = connection.call("PING")
        clock.advance(1.5)
        late = connection.call("PING")
        clock.advance(0.5)
        self.assertIsNone(connection.problem)
        await self.fails(waiting, "did not answer")
        await self.fails(late, "did not answer")

    async def test_further_calls(self) -> None:
        """Each call has its own deadline."""
        clock, engine = StoppedReactor(), self.start_engine()
        connection = await self.usable(self.connect(engine.address, timeout=2, on=clock))
        for pause in (2, 1):
            await connection.call("PING")
            clock.advance(pause)
        waiting = connection.call("BLPOP", "list", 0)
        clock.advance(1.5)
        clock.advance(0)
        self.assertIsNone(connection.problem)
        clock.advance(0.5)
        await self.fails(waiting, "it did not answer within 2 seconds")

    async def test_pauses(self) -> None:
        """Pauses between attempts double up to a limit, and differ a bit; after a stable time they begin again."""
        clock, engine = StoppedReactor(), self.start_engine()
        connection = await self.usable(self.connect(engine.address, on=clock, timeout=60, longest=0.5))
        expected = [FIRST_DELAY, FIRST_DELAY * 2, FIRST_DELAY * 4, 0.5, 0.5]
        with mock.patch.object(_engine, "random", random.Random(1)):
            for lasts in (0.0, STABLE):
                clock.advance(lasts)
                engine.kill()
                pauses = []
                for longest in expected:
                    await self.until(lambda: any(call.getTime() < clock.seconds() + 1 for call in clock.calls))
                    pauses.append(clock.calls[0].getTime() - clock.seconds())
                    self.assertTrue(longest / 2 <= pauses[-1] <= longest, (longest, pauses))
                    clock.advance(longest)
                self.assertEqual(len(set(pauses)), len(pauses))
                engine.restart()
                await self.until(lambda: self.passed(clock, 0.5) and connection.problem is None)

    def passed(self, clock: StoppedReactor, seconds: float) -> bool:
        """Let time pass; return true."""
        clock.advance(seconds)
        return True


class StoppingTests(ConnectionCase):
    """A connection can be stopped at any time, and nothing is left of it: trial and `RealCase` look for that."""

    async def test_connecting(self) -> None:
        """While it connects."""
        connection = self.connect(self.start_engine().address)
        await connection.stop()
        self.assertEqual((self.ups, self.downs), ([], []))

    async def test_not_started(self) -> None:
        """Before it has begun."""
        connection = Connection(self.start_engine().address, reactor, 1, lambda facts: Deferred(), self.downs.append)
        await connection.stop()

    async def test_waiting_for_answers(self) -> None:
        """While it logs in, or looks at the engine."""
        for password in ("secret", ""):
            engine = self.start_engine(password=password)
            wire = await self.start_wire(engine)
            engine.freeze()
            connection = self.connect(wire.address)
            await self.until(partial(lambda wire: wire.connections, wire))
            await connection.stop()
            engine.thaw()
        self.assertEqual((self.ups, self.downs), ([], []))

    async def test_up(self) -> None:
        """While something is done first, even if that goes on."""
        never: Deferred[None] = Deferred()

        async def then() -> None:
            try:
                await never
            except BaseException as error:
                raise EngineError("it was interrupted") from error

        connection = self.connect(self.start_engine().address, then=then)
        await self.until(lambda: self.ups)
        await connection.stop()
        self.assertEqual(self.downs, [])

    async def test_waiting(self) -> None:
        """While it waits for its next attempt."""
        connection = await self.problem(EngineAddress("127.0.0.1", kept_port(self)), "refused", longest=60)
        await connection.stop()

    async def test_calls(self) -> None:
        """While calls wait; they fail."""
        engine = self.start_engine()
        connection = await self.usable(self.connect(engine.address))
        engine.freeze()
        call = connection.call("PING")
        stopped = connection.stop()
        await self.fails(call, "lost")
        await stopped

    async def test_no_garbage(self) -> None:
        """Connections that were lost leave nothing in memory."""
        connection = await self.usable(self.connect(self.start_engine().address))
        protocols = []
        for number in range(1, 4):
            protocols.append(weakref.ref(connection._protocol))
            connection.abort()
            await self.until(partial(lambda number: len(self.ups) > number, number))
            await self.usable(connection)
        gc.collect()
        self.assertEqual([protocol() for protocol in protocols], [None] * 3)
