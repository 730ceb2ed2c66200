"""A test case with a real Redis, and a repeater before it."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import redis

from twisted_repeater import Dialect, dialects

from ..needed import needed
from .servers import RealCase, RealServer, talk

__all__ = ["RedisCase", "array", "connect"]


def connect(port: int, **options: Any) -> Any:
    """Return a client of redis-py, which is closed at the end of a ``with``."""
    return closing(redis.Redis(port=port, **{"decode_responses": True, "socket_timeout": 20} | options))


def array(*words: str | bytes) -> bytes:
    """Return a command as programs write it."""
    encoded = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)


class RedisCase(RealCase):
    """A test case with a Redis, and a repeater before it."""

    redis: RealServer
    """The Redis."""

    def setUp(self) -> None:
        """Start the Redis."""
        super().setUp()
        program = needed("redis-server", "redis-server")
        options = ("--bind", "127.0.0.1", "--save", "", "--enable-debug-command", "yes")
        self.redis = self.start_server(lambda port: [program, "--port", str(port), *options])

    async def repeat(self, dialect: Dialect | None = None, **settings: Any) -> int:
        """Start a repeater; return its port. Without a dialect it has names."""
        self.repeater = await self.start_repeater(dialect or dialects.redis(), self.redis.port, **settings)
        return self.repeater.port

    async def talk(self, port: int, *pieces: bytes, **options: Any) -> bytes:
        """Be a client that knows no protocol; see `talk`."""
        return await self.in_thread(talk, port, *pieces, **options)

    async def direct(self, *commands: bytes) -> bytes:
        """Return the replies of Redis itself to commands."""
        return await self.talk(self.redis.port, *commands, b"QUIT\r\n")

    async def assert_works(self, port: int) -> None:
        """Another client is served."""
        self.assertEqual(await self.talk(port, b"PING\r\nQUIT\r\n"), b"+PONG\r\n+OK\r\n")
