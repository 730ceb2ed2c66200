"""A Redis for a test, and a repeater with the dialect `redis` before it."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import redis

from twisted_repeater import Dialect, dialects

from ..needed import needed
from .servers import RealCase, RealServer, talk

__all__ = ["DEBIAN_PACKAGES", "RedisCase", "array", "connect"]

DEBIAN_PACKAGES = "redis-server redis-tools netcat-openbsd"


def connect(port: int, **options: Any) -> Any:
    """Return a client of redis-py, which is closed at the end of a ``with``."""
    return closing(redis.Redis(port=port, decode_responses=True, socket_timeout=20, **options))


def array(*words: bytes) -> bytes:
    """Return a command as clients send it."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class RedisCase(RealCase):
    """A test case with a Redis."""

    redis: RealServer
    """The Redis."""
    options: tuple[str, ...] = ()
    """More options of the server."""

    def setUp(self) -> None:
        """Start the Redis."""
        super().setUp()
        program = needed("redis-server", "redis-server")
        options = ("--bind", "127.0.0.1", "--save", "", "--enable-debug-command", "yes", *self.options)
        self.redis = self.start_server(lambda port: [program, "--port", str(port), *options])

    async def repeat(self, dialect: Dialect | None = None, **settings: Any) -> int:
        """Start a repeater; return its port. Without a dialect it has names."""
        self.repeater = await self.start_repeater(dialect or dialects.redis(), self.redis.port, **settings)
        return self.repeater.port

    async def say(self, port: int, said: bytes, **options: Any) -> bytes:
        """Send bytes, and return what comes up to the end of the stream."""
        return await self.in_thread(talk, port, said, **options)

    async def assert_works(self, port: int) -> None:
        """Another client is served."""
        self.assertEqual(await self.say(port, b"PING\r\nQUIT\r\n"), b"+PONG\r\n+OK\r\n")
