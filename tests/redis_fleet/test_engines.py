"""The engines of the tests do what their names say."""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .engines import EngineCase

DEBIAN_PACKAGES = "redis-server"


class EngineTests(EngineCase):
    """A real engine."""

    def test_restart(self) -> None:
        """An engine that is restarted is empty, unless it keeps its data."""
        for keeps, expected in (False, None), (True, b"red"):
            engine = self.start_engine(keeps=keeps)
            engine.ask("SET", "colour", "red")
            engine.restart()
            self.assertEqual(engine.ask("GET", "colour"), expected)

    def test_full(self) -> None:
        """A full engine refuses to store, until it is emptied."""
        engine = self.start_engine(password="secret")
        engine.fill()
        self.assertRaises(redis.exceptions.OutOfMemoryError, engine.ask, "SET", "colour", "red")
        engine.empty()
        engine.ask("SET", "colour", "red")

    async def test_wire(self) -> None:
        """A wire relays, is slow, holds, is down, and is mended."""
        engine = self.start_engine()
        wire = await self.start_wire(engine)
        client = redis.Redis(port=wire.address.port, socket_timeout=0.3, retry=Retry(NoBackoff(), 0))
        self.addCleanup(client.close)
        self.assertTrue(await self.in_thread(client.ping))
        for breaks in wire.down, wire.hold, lambda: wire.slow(1.0):
            breaks()
            await self.assertFailure(self.in_thread(client.ping), redis.ConnectionError, redis.TimeoutError)
            wire.mend()
            self.assertTrue(await self.in_thread(client.ping))
        self.assertEqual(wire.connections, 1)
        wire.cut()
        await self.until(lambda: not wire.connections)
