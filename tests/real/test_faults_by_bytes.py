"""A client of Redis before a repeater that breaks its connections by bytes."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from twisted_repeater import Direction
from twisted_repeater.faults import Fault
from twisted_repeater.faults.by_bytes import Bandwidth, Down, LimitData, ResetPeer, Slicer, SlowClose, Timeout

from .redis_case import RedisCase, connect

DEBIAN_PACKAGES = "redis-server"

BACK = Direction.TO_CLIENT

ONCE: dict[str, Any] = {"retry": Retry(NoBackoff(), 0), "socket_timeout": 0.5}
"""A client that does not try again, and does not wait for long."""


class FaultTests(RedisCase):
    """redis-py notices each fault as what it is, and recovers when it is gone."""

    async def test_errors(self) -> None:
        """A reset, a timeout, a stream that ends and a server that is down are what the client gets."""
        port = await self.repeat()
        faults = self.repeater.faults
        expected: list[tuple[Fault, type[Exception], str]] = [
            (ResetPeer(), redis.ConnectionError, "reset by peer"),
            (Timeout(direction=BACK), redis.TimeoutError, "Timeout reading"),
            (LimitData(3, direction=BACK), redis.ConnectionError, "closed by server"),
            (Down(), redis.ConnectionError, "refused"),
        ]
        await self.in_thread(self.use, port, "SET", "key", "value")
        for fault, error, words in expected:
            faults.set("broken", fault)
            with self.subTest(fault=fault):
                failure: Any = await self.assertFailure(self.in_thread(self.use, port, "GET", "key"), error)
                self.assertIn(words, str(failure))
            faults.clear()
            self.assertEqual(await self.in_thread(self.use, port, "GET", "key"), "value")

    async def test_slow(self) -> None:
        """A slow line, slices and a slow end change no byte."""
        port = await self.repeat()
        faults = self.repeater.faults
        faults.set("line", Bandwidth(2_000_000, shared=True))
        faults.set("slices", Slicer(3000, 2999))
        faults.set("end", SlowClose(0.05))
        value = "0123456789" * 10_000
        await self.in_thread(self.use, port, "SET", "key", value)
        self.assertEqual(await self.in_thread(self.use, port, "GET", "key"), value)

    def use(self, port: int, *command: str) -> Any:
        """Connect, and execute a command."""
        with connect(port, **ONCE) as client:
            return client.execute_command(*command)
